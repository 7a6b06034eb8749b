using System.Text;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Pipeline.Bodies;

public class RequestHeadTests
{
    [Fact]
    public void Finds_what_a_chat_says()
    {
        var head = Parse("""{"messages":[{"role":"user","content":"Hi"}],"stream":true,"model":"llama3.2","stream_options":{"include_usage":true}}""", Dialect.OpenAI);

        Assert.Null(head.Problem);
        Assert.Equal("llama3.2", head.Model);
        Assert.True(head.Stream);
        Assert.True(head.IncludesUsage);
        Assert.True(head.HasPrompt);
        Assert.False(head.UnloadsModel);
        Assert.True(head.IsWhole);
        Assert.NotEqual(0ul, head.Affinity);
    }

    [Theory]
    [InlineData("""{"model":"m"}""", null)]
    [InlineData("""{"model":"m","stream":true}""", true)]
    [InlineData("""{"model":"m","STREAM":false}""", false)]
    [InlineData("""{"model":"m","\u0073tream":false}""", false)]
    [InlineData("""{"model":"m","ſtream":true}""", true)]
    [InlineData("""{"model":"m","stream":null}""", null)]
    [InlineData("""{"model":"m","stream":"true"}""", null)]
    [InlineData("""{"model":"m","x":{"stream":true}}""", null)]
    public void Tells_whether_a_stream_is_wanted(string json, bool? expected) => Assert.Equal(expected, Parse(json).Stream);

    [Theory]
    [InlineData("""{"model":"m"}""", "m")]
    [InlineData("""{"Model":"m"}""", "m")]
    [InlineData("""{"mod\u0065l":"m"}""", "m")]
    [InlineData("""{"model":"\u006d🏀"}""", "m🏀")]
    [InlineData("""{"name":"m"}""", "m")]
    [InlineData("""{"model":"","name":"m"}""", "m")]
    [InlineData("""{"name":"n","model":"m"}""", "m")]
    [InlineData("""{"name":5,"model":"m"}""", null)]
    [InlineData("""{"x":{"model":"n"},"messages":[{"model":"n"}],"model":"m"}""", "m")]
    [InlineData("""{"x":"\"model\":\"n\""}""", null)]
    [InlineData("{}", null)]
    [InlineData("""{"model":null}""", null)]
    [InlineData("""{"model":"m","name":null}""", "m")]
    [InlineData("""{"name":"m","model":null}""", "m")]
    [InlineData("""{"model":"m","model":null}""", "m")]
    [InlineData("""{"\ud800":1,"\uDC00 model":"n","model":"m"}""", "m")]
    [InlineData("{\"model\":\"m\"}\0", "m")]
    [InlineData("{\"model\":\"m\"}x", "m")]
    [InlineData("{\"model\":\"m\"}\n{\"model\":\"n\"}", "m")]
    [InlineData("{\"model\":\"m\"}//", "m")]
    [InlineData(" { \"model\" : \"m\" } \r\n\t", "m")]
    [InlineData("""{"modelx":"n","amodel":"n","mode":"n"}""", null)]
    public void Finds_the_model_where_Ollama_does(string json, string? expected) => Assert.Equal(expected, Parse(json).Model);

    [Fact]
    public void Knows_the_older_name_in_native_requests_only()
    {
        Assert.Null(Parse("""{"name":"m"}""", Dialect.OpenAI).Model);
        Assert.Null(Parse("""{"name":"m","name":"n"}""", Dialect.OpenAI).Problem);
    }

    [Fact]
    public void Finds_the_source_of_a_copy()
    {
        var head = RequestHead.Parse("""{"model":"x","name":"y","Source":"m","destination":"n"}"""u8, isWhole: true, Dialect.Native, ModelPlace.Source);

        Assert.Equal("m", head.Model);
        Assert.Equal(
            "\"source\" is given twice.",
            RequestHead.Parse("""{"source":"m","SOURCE":"n"}"""u8, isWhole: true, Dialect.Native, ModelPlace.Source).Problem);
        Assert.Equal(
            "\"source\" is given twice.",
            RequestHead.Parse("""{"source":"m","\u017Fource":"n"}"""u8, isWhole: true, Dialect.Native, ModelPlace.Source).Problem);
    }

    [Theory]
    [InlineData("""{"model":"a","from":"b","ſource":"c","deſtination":"d","NAME":"e"}""", "model=a from=b source=c destination=d name=e")]
    [InlineData("""{"model":"a","from":"b","From":"c"}""", "model=a from=b from=c")]
    [InlineData("""{"model":"a","from":5,"destination":null}""", "model=a from=")]
    public void Finds_every_model_that_a_management_operation_names(string json, string expected)
    {
        var head = RequestHead.Parse(Encoding.UTF8.GetBytes(json), isWhole: true, Dialect.Native, manages: true);

        Assert.Equal(expected, string.Join(' ', head.Named!.Select(named => $"{named.Property}={named.Model}")));
        Assert.Null(Parse(json).Named);
    }

    [Theory]
    [InlineData("""{"model":"a","model":"b"}""", "\"model\" is given twice.")]
    [InlineData("""{"model":"a","model":"a"}""", "\"model\" is given twice.")]
    [InlineData("""{"model":"a","MODEL":"b"}""", "\"model\" is given twice.")]
    [InlineData("""{"model":"a","\u006Dod\u0045l":"b"}""", "\"model\" is given twice.")]
    [InlineData("""{"name":"a","Name":"b"}""", "\"name\" is given twice.")]
    [InlineData("""{"model":"m","stream":true,"Stream":false}""", "\"stream\" is given twice.")]
    [InlineData("""{"model":"m","stream":true,"ſtream":false}""", "\"stream\" is given twice.")]
    [InlineData("""{"model":"m","stream_options":{},"stream_OptionS":{}}""", "\"stream_options\" is given twice.")]
    [InlineData("""{"model":"m","stream_options":{"include_usage":true,"include_uſage":false}}""", "\"include_usage\" is given twice.")]
    [InlineData("""{"model":5}""", "\"model\" must be a string.")]
    [InlineData("""{"model":["a"]}""", "\"model\" must be a string.")]
    [InlineData("""{"model":{"a":1}}""", "\"model\" must be a string.")]
    [InlineData("""{"model":""}""", "\"model\" is empty.")]
    [InlineData("""{"model":"","name":""}""", "\"model\" is empty.")]
    [InlineData("""{"model":" \u00a0 "}""", "\"model\" is empty.")]
    [InlineData("""{"model":"a\u0000b"}""", "\"model\" has control characters.")]
    [InlineData("""{"model":"a\nb"}""", "\"model\" has control characters.")]
    [InlineData("""{"model":"a\u0085b"}""", "\"model\" has control characters.")]
    [InlineData("""{"model":"\ud800"}""", "The request body has text that is not valid Unicode.")]
    [InlineData("", "The request body is empty.")]
    [InlineData("\uFEFF{}", "The request body begins with a byte order mark.")]
    [InlineData("[]", "The request body must be a JSON object.")]
    [InlineData("\"model\"", "The request body must be a JSON object.")]
    [InlineData("null", "The request body must be a JSON object.")]
    [InlineData("5", "The request body must be a JSON object.")]
    [InlineData(" ", "The request body is not valid JSON (line 1, byte 2).")]
    [InlineData("{\"model\":\"m\"", "The request body is not valid JSON (line 1, byte 13).")]
    [InlineData("{\"model\":\"m\",}", "The request body is not valid JSON (line 1, byte 14).")]
    [InlineData("{\"model\":\"m\"\0}", "The request body is not valid JSON (line 1, byte 13).")]
    [InlineData("{\"model\":\"m\n\"}", "The request body is not valid JSON (line 1, byte 12).")]
    [InlineData("{'model':'m'}", "The request body is not valid JSON (line 1, byte 2).")]
    [InlineData("{\n\"model\":nope}", "The request body is not valid JSON (line 2, byte 10).")]
    [InlineData("model=m", "The request body is not valid JSON (line 1, byte 1).")]
    public void Says_what_is_malformed(string json, string expected)
    {
        var head = Parse(json);

        Assert.Equal(RequestHead.Malformed(expected), head);
    }

    [Fact]
    public void Takes_a_model_of_512_characters_and_none_longer()
    {
        Assert.Equal(512, Parse($$"""{"model":"{{new string('界', 512)}}"}""").Model?.Length);
        Assert.Equal("\"model\" is longer than 512 characters.", Parse($$"""{"model":"{{new string('m', 513)}}"}""").Problem);
        Assert.Equal("\"model\" is longer than 512 characters.", Parse($$"""{"model":"{{new string('m', 1_000_000)}}"}""").Problem);
    }

    [Fact]
    public void Takes_10000_levels_as_Go_does_and_no_more()
    {
        static string Nested(int levels) => $$"""{"x":{{new string('[', levels - 1)}}{{new string(']', levels - 1)}},"model":"m"}""";

        Assert.Equal("m", Parse(Nested(10_000)).Model);
        Assert.Equal("The request body is nested deeper than 10000 levels.", Parse(Nested(10_001)).Problem);
        Assert.Equal("The request body is nested deeper than 10000 levels.", Parse(string.Concat(Enumerable.Repeat("{\"x\":", 1_000_000))).Problem);
        Assert.Equal("The request body is nested deeper than 10000 levels.", Parse("{\"messages\":" + new string('[', 1_000_000)).Problem);
    }

    [Fact]
    public void Lets_pass_what_does_no_harm()
    {
        var json = Encoding.Latin1.GetBytes("""{"x":1e999999,"y":-99999999999999999999999999999999,"prompt":"ÿþ","keep_alive":1e999,"model":"m","stream_options":5}""");

        var head = RequestHead.Parse(json, isWhole: true, Dialect.Native);

        Assert.Equal((null, "m"), (head.Problem, head.Model));
    }

    [Fact]
    public void Refuses_a_model_that_is_not_UTF8()
    {
        var head = RequestHead.Parse([.. "{\"model\":\""u8, 0xFF, .. "\"}"u8], isWhole: true, Dialect.Native);

        Assert.Equal("The request body has text that is not valid Unicode.", head.Problem);
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("0.0", true)]
    [InlineData("-0", true)]
    [InlineData("\"0\"", true)]
    [InlineData("\"0s\"", true)]
    [InlineData("\"0h0m\"", true)]
    [InlineData("\"10m\"", false)]
    [InlineData("\"5m\"", false)]
    [InlineData("\"\"", false)]
    [InlineData("5", false)]
    [InlineData("-1", false)]
    [InlineData("null", false)]
    [InlineData("{\"x\":0}", false)]
    public void Tells_whether_the_model_is_to_go(string keepAlive, bool expected)
    {
        var head = Parse($$"""{"model":"m","keep_alive":{{keepAlive}}}""");

        Assert.Equal((expected, false, "m"), (head.UnloadsModel, head.HasPrompt, head.Model));
    }

    [Fact]
    public void Takes_the_Kelvin_sign_for_a_k_as_Go_does() => Assert.True(Parse("""{"model":"m","\u212AEEP_ALIVE":0}""").UnloadsModel);

    [Theory]
    [InlineData("\"prompt\":\"x\"", true)]
    [InlineData("\"prompt\":\"\"", false)]
    [InlineData("\"prompt\":null", false)]
    [InlineData("\"messages\":[]", false)]
    [InlineData("\"messages\":[{}]", true)]
    [InlineData("\"input\":[\"x\"]", true)]
    [InlineData("\"input\":\"x\"", true)]
    [InlineData("\"system\":\"x\"", false)]
    public void Tells_whether_there_is_a_prompt(string member, bool expected)
    {
        Assert.Equal(expected, Parse($$"""{"model":"m",{{member}}}""").HasPrompt);
        Assert.Equal(expected, Parse($$"""{{{member}},"model":"m"}""").HasPrompt);
    }

    [Fact]
    public void Returns_what_it_found_where_the_body_goes_on()
    {
        const string Json = """{"system":"s","model":"llama3.2","stream":true,"options":{"x":[1,2]},"messages":[{"role":"user","content":"Hi"}],"end":1.5}""";
        var bytes = Encoding.UTF8.GetBytes(Json);
        var model = Json.IndexOf(",\"stream\"", StringComparison.Ordinal);
        var stream = Json.IndexOf(",\"options\"", StringComparison.Ordinal);

        for (var i = 0; i < bytes.Length; i++)
        {
            var head = RequestHead.Parse(bytes.AsSpan(0, i), isWhole: false, Dialect.OpenAI);

            Assert.Null(head.Problem);
            Assert.Equal(i >= model ? "llama3.2" : null, head.Model);
            Assert.Equal<bool?>(i >= stream ? true : null, head.Stream);
            Assert.False(head.IsWhole);
            Assert.Equal(UsageChange.None, head.UsageChange);
            Assert.NotNull(RequestHead.Parse(bytes.AsSpan(0, i), isWhole: true, Dialect.OpenAI).Problem);
        }

        Assert.True(RequestHead.Parse(bytes, isWhole: false, Dialect.OpenAI).IsWhole);
    }

    [Fact]
    public void Ties_the_requests_of_a_conversation_together()
    {
        const string First = """{"model":"m","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"}""";
        var first = Parse(First + "]}").Affinity;

        Assert.NotEqual(0ul, first);
        Assert.Equal(first, Parse(First + ""","role":"x"]}""".Replace(",\"role\":\"x\"", ",{\"role\":\"assistant\",\"content\":\"Hello\"},{\"role\":\"user\",\"content\":\"And?\"}", StringComparison.Ordinal)).Affinity);
        Assert.Equal(first, Parse(First.Replace("{\"model\":\"m\",", "{\"stream\":true,", StringComparison.Ordinal) + "],\"model\":\"m\"}").Affinity);
        Assert.NotEqual(first, Parse(First.Replace("Hi", "Ho", StringComparison.Ordinal) + "]}").Affinity);
        Assert.NotEqual(first, Parse(First.Replace("kind", "bold", StringComparison.Ordinal) + "]}").Affinity);
        Assert.NotEqual(first, Parse(First.Replace("\"m\"", "\"n\"", StringComparison.Ordinal) + "]}").Affinity);
    }

    [Theory]
    [InlineData("\"session_id\":\"s\"")]
    [InlineData("\"prompt_cache_key\":\"s\"")]
    [InlineData("\"user\":\"s\"")]
    [InlineData("\"metadata\":{\"x\":[1],\"user_id\":\"s\",\"y\":{}}")]
    public void Ties_the_requests_of_a_session_together_whatever_they_say(string member)
    {
        var one = Parse($$"""{"model":"m",{{member}},"prompt":"one"}""").Affinity;

        Assert.NotEqual(0ul, one);
        Assert.Equal(one, Parse($$"""{"prompt":"two","model":"m",{{member}}}""").Affinity);
        Assert.NotEqual(one, Parse($$"""{"prompt":"two","model":"m",{{member.Replace("\"s\"", "\"t\"", StringComparison.Ordinal)}}}""").Affinity);
    }

    [Theory]
    [InlineData("prompt", "system")]
    [InlineData("input", "instructions")]
    public void Ties_by_the_beginning_only(string prompt, string system)
    {
        string Body(string end, string rest) => $$"""{"model":"m","{{system}}":"{{new string('s', 1023)}}{{end}}","{{prompt}}":"{{new string('p', 1023)}}{{rest}}"}""";

        Assert.Equal(Parse(Body("a", "b")).Affinity, Parse(Body("c", "d")).Affinity);
        Assert.NotEqual(Parse(Body("a", "b")).Affinity, Parse(Body("a", "b").Replace("ss", "st", StringComparison.Ordinal)).Affinity);
        Assert.NotEqual(Parse(Body("a", "b")).Affinity, Parse(Body("a", "b").Replace("pp", "pq", StringComparison.Ordinal)).Affinity);
    }

    [Theory]
    [InlineData("\"prompt\":\"{0}\"")]
    [InlineData("\"messages\":[{{\"role\":\"user\",\"content\":\"{0}\"}}]")]
    [InlineData("\"messages\":[{{\"content\":\"{0}\",\"role\":\"user\"}}]")]
    public void Ties_also_where_the_beginning_is_all_there_is(string format)
    {
        var bytes = Encoding.UTF8.GetBytes("{\"model\":\"m\"," + string.Format(null, format, new string('p', 5000)) + "}");
        var whole = RequestHead.Parse(bytes, isWhole: true, Dialect.Native);

        var head = RequestHead.Parse(bytes.AsSpan(0, 2000), isWhole: false, Dialect.Native);

        Assert.Equal((whole.Affinity, true), (head.Affinity, head.HasPrompt));
    }

    [Theory]
    [InlineData("""{"model":"m"}""")]
    [InlineData("""{"model":"m","messages":[],"session_id":"","user":5,"prompt":""}""")]
    public void Ties_nothing_where_there_is_nothing(string json) => Assert.Equal(0ul, Parse(json).Affinity);

    [Fact]
    public void Neither_fails_nor_hangs_on_noise()
    {
        var body = """{"model":"m","stream":true,"stream_options":{"x":[1],"include_usage":false},"metadata":{"user_id":"u"},"keep_alive":"5m","messages":[{"role":"system","content":[{"type":"text","text":"\u00e9🏀"}]},{"role":"user","content":"x"}],"options":{"a":-1.5e3}}"""u8.ToArray();
        var random = new Random(20260825);
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = Streams.StreamTapTests.Damage(body, random);

            var head = RequestHead.Parse(bytes, round % 2 == 0, Dialect.Native);

            Assert.True(head.Problem is null || head == RequestHead.Malformed(head.Problem));
        }
    }

    private static RequestHeadResult Parse(string json, Dialect dialect = Dialect.Native) =>
        RequestHead.Parse(Encoding.UTF8.GetBytes(json), isWhole: true, dialect);
}
