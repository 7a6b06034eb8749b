using System.Globalization;
using System.Net;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

public sealed class RequestIdTests
{
    private static readonly string s_longest = new('a', 128);

    public static TheoryData<string> Sane => ["a", "req_018EeWyXxfu5pfWkrYcMdjWG", "7f3c:1/2=+@~.", s_longest];

    public static TheoryData<string> Strange => ["", " ", "a b", "a\"b", "a{b}", "a,b", "日本", s_longest + "a"];

    [Theory]
    [InlineData("GET", "/", 200)]
    [InlineData("GET", "/api/tags", 200)]
    [InlineData("POST", "/api/chat", 200)]
    [InlineData("POST", "/v1/chat/completions", 200)]
    [InlineData("POST", "/v1/messages", 200)]
    [InlineData("POST", "/v1/embeddings", 400)]
    [InlineData("GET", "/health", 200)]
    public async Task Every_answer_carries_a_request_id(string method, string path, int status)
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var gateway = await TestGateway.StartAsync([("a", engine.Address), ("b", engine.Address)]);

        var answer = await gateway.Http.AnswerAsync(new HttpMethod(method), path, status == 400 ? "{" : method == "POST" ? Ask.Body() : null);

        Assert.Equal(status, answer.Status);
        Assert.Matches("^[0-9a-f]{32}$", answer["X-Request-Id"]);
        Assert.Equal(path == Ask.Anthropic ? answer["X-Request-Id"] : null, answer["request-id"]);
    }

    [Theory]
    [MemberData(nameof(Sane))]
    public async Task A_clients_sane_id_is_kept(string id)
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        gateway.Http.DefaultRequestHeaders.Add("X-Request-Id", id);

        Assert.Equal(id, (await gateway.Http.ChatAsync())["X-Request-Id"]);
        Assert.Equal(id, (await gateway.Http.AnswerAsync(HttpMethod.Post, Ask.Native, "{"))["X-Request-Id"]);
        Assert.Equal(id, Assert.Single(engine.Requests, request => request.Path == Ask.Native).Headers["X-Request-Id"]);
    }

    [Theory]
    [MemberData(nameof(Strange))]
    public async Task A_clients_strange_id_is_replaced(string id)
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        using var connection = await RawConnection.OpenAsync(gateway.Address);

        await connection.SendAsync(string.Create(CultureInfo.InvariantCulture, $"GET /api/version HTTP/1.1\r\nHost: {gateway.Address.Authority}\r\nX-Request-Id: {id}\r\n\r\n"));
        var answer = await connection.ReadAsync();

        Assert.Equal(200, answer.Status);
        Assert.Matches("^[0-9a-f]{32}$", answer["X-Request-Id"]);
        Assert.Equal(answer["X-Request-Id"], Assert.Single(engine.Requests, request => request.Headers.ContainsKey("X-Request-Id")).Headers["X-Request-Id"]);
    }

    [Fact]
    public async Task Every_instance_gets_the_id_of_a_merged_read_and_of_a_deletion()
    {
        await using var one = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var two = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var gateway = await TestGateway.StartAsync([("one", one.Address), ("two", two.Address)]);
        gateway.Http.DefaultRequestHeaders.Add("X-Request-Id", "mine");

        await gateway.Http.AnswerAsync(HttpMethod.Get, "/api/tags");
        await gateway.Http.AnswerAsync(HttpMethod.Delete, "/api/delete", """{"model":"mock"}""");

        foreach (var engine in (MockEngine[])[one, two])
        {
            Assert.Equal(
                ["/api/delete", "/api/tags"],
                engine.Requests.Where(request => request.Headers.GetValueOrDefault("X-Request-Id") == "mine").Select(request => request.Path).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task The_access_log_has_the_id_of_an_answer_and_of_a_refusal()
    {
        await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address);

        var answered = await gateway.Http.ChatAsync(Ask.Anthropic);
        var refused = await gateway.Http.AnswerAsync(HttpMethod.Post, Ask.OpenAI, "{");

        Assert.Equal((int)HttpStatusCode.BadRequest, refused.Status);
        foreach (var id in (string?[])[answered["request-id"], refused["X-Request-Id"]])
        {
            var line = await gateway.AccessAsync(line => line.GetProperty("request_id").GetString() == id);
            Assert.Equal("POST", line.GetProperty("method").GetString());
        }
    }
}
