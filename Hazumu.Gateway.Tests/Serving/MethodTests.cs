using Hazumu.Gateway.Tests.Streams;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Methods whose name an engine's client would change on the way: they must not be judged as one thing and run as another.</summary>
public sealed class MethodTests(InThisProcess fixture) : IClassFixture<InThisProcess>
{
    [Theory]
    [InlineData("post", "/api/chat")]
    [InlineData("Post", "/api/chat")]
    [InlineData("POSt", "/v1/chat/completions")]
    [InlineData("post", "/v1/messages")]
    [InlineData("post", "/api/pull")]
    [InlineData("delete", "/api/delete")]
    [InlineData("get", "/api/tags")]
    [InlineData("head", "/")]
    [InlineData("options", "/api/chat")]
    [InlineData("connect", "/api/chat")]
    [InlineData("frob", "/api/chat")]
    public async Task Method_that_is_not_upper_case_returns_400_and_reaches_no_engine(string method, string path)
    {
        var before = fixture.Engine.Requests.Count(request => request.Path == path);
        using var connection = await RawConnection.OpenAsync(fixture.Gateway.Address);

        await connection.SendAsync(method, path, Ask.Body(streams: false));
        var answer = await connection.ReadAsync();

        Assert.Equal(400, answer.Status);
        Assert.Contains($"The method '{method}' is not in upper case", answer.Text, StringComparison.Ordinal);
        Assert.Equal(before, fixture.Engine.Requests.Count(request => request.Path == path));
    }
}
