using System.Text;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Pipeline.Bodies;

public class UsageRequestTests
{
    [Theory]
    [InlineData("""{"model":"m","stream":true}""", """{"model":"m","stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("{ \"stream\" : true , \"model\" : \"界\" \r\n} \n", "{ \"stream\" : true , \"model\" : \"界\" \r\n,\"stream_options\":{\"include_usage\":true}} \n")]
    [InlineData("""{"stream_options":null,"stream":true}""", """{"stream_options":{"include_usage":true},"stream":true}""")]
    [InlineData("""{"stream_options":{},"stream":true}""", """{"stream_options":{"include_usage":true},"stream":true}""")]
    [InlineData("""{"stream":true,"Stream_Options": { "x" : [ {} ] } }""", """{"stream":true,"Stream_Options": {"include_usage":true, "x" : [ {} ] } }""")]
    [InlineData("""{"stream":true,"stream_options":{"x":1,"include_usage": false ,"y":2}}""", """{"stream":true,"stream_options":{"x":1,"include_usage": true ,"y":2}}""")]
    [InlineData("""{"stream":true,"stream_options":{"INCLUDE_USAGE":null}}""", """{"stream":true,"stream_options":{"INCLUDE_USAGE":true}}""")]
    public void Asks_for_the_usage_and_changes_nothing_else(string body, string expected)
    {
        Assert.Equal(expected, Write(body));
        Assert.Null(Write(expected));
    }

    [Theory]
    [InlineData("""{"model":"m"}""")]
    [InlineData("""{"stream":false}""")]
    [InlineData("""{"stream":"true"}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":true}}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":"yes"}}""")]
    [InlineData("""{"stream":true,"stream_options":[]}""")]
    [InlineData("""{"stream":true,"stream_options":5}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":false,"include_usage":false}}""")]
    [InlineData("""{"stream":true""")]
    public void A_body_that_requests_usage_or_is_malformed_is_left_unchanged(string body) => Assert.Null(Write(body));

    private static string? Write(string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var head = RequestHead.Parse(bytes, isWhole: true, Dialect.OpenAI);
        var text = UsageRequest.TextOf(head.UsageChange);
        return text.IsEmpty ? null : Encoding.UTF8.GetString([.. bytes[..head.UsagePlace.Start], .. text, .. bytes[head.UsagePlace.End..]]);
    }
}
