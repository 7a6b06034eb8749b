using System.Net;
using System.Text;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Engines that fail before they have answered, and after they have begun to. Of two with nothing in memory the first is asked first.</summary>
public sealed class RetryTests
{
    public enum Failure
    {
        Refused,
        Reset,
        ResetBeforeTheBody,
        Busy,
    }

    public static TheoryData<Failure, string> Failures
    {
        get
        {
            var data = new TheoryData<Failure, string>();
            foreach (var failure in Enum.GetValues<Failure>())
            {
                foreach (var path in (string[])[Ask.Native, Ask.OpenAI, Ask.Anthropic])
                {
                    data.Add(failure, path);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task A_request_that_fails_before_its_answer_is_retried_elsewhere(Failure failure, string path)
    {
        await using var engines = await Two.StartAsync();
        await FailAsync(engines.A, failure);
        var body = Ask.Body(new string('x', 300_000));

        var answer = await engines.Gateway.Http.ChatAsync(path, body);

        Assert.Equal((200, "b"), (answer.Status, answer.Instance));
        Assert.Equal(failure == Failure.Refused ? 0 : 1, engines.A.Inferences().Count);
        var arrived = Assert.Single(engines.B.Inferences());
        await arrived.Ended;
        Assert.Equal(path == Ask.OpenAI, arrived.Body.Length > body.Length);
        Assert.Equal(body[..299_000], Encoding.UTF8.GetString(arrived.Body)[..299_000]);
        Assert.True(path == Ask.OpenAI || body == Encoding.UTF8.GetString(arrived.Body));
        await engines.Gateway.Measured.RequestsAsync(1);
        await engines.Gateway.MeasuresAsync(1, "hazumu.gateway.retries");
        Assert.Equal(1, engines.Gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
        Assert.Equal(0, engines.Gateway.Measured.Now("hazumu.gateway.slots.used"));
    }

    [Fact]
    public async Task An_engine_that_has_sent_its_headers_and_nothing_else_has_not_answered()
    {
        await using var a = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            await exchange.BeginAsync("application/x-ndjson");
            exchange.Reset();
        });
        await using var b = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync([("a", a.Address), ("b", b.Address)]);

        var answer = await gateway.Http.ChatAsync();

        Assert.Equal((200, "b"), (answer.Status, answer.Instance));
        Assert.Single(a.Exchanges);
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task Retry_is_not_attempted_after_the_first_byte(string path)
    {
        await using var engines = await Two.StartAsync();

        // A reset may overtake what was sent just before.
        engines.A.Options = engines.A.Options with { TokenTime = TimeSpan.FromMilliseconds(50) };
        engines.A.Inject(new MockFault(MockFaultKind.Reset) { AfterTokens = 1 });

        using var answer = await engines.Gateway.Http.BeginAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await Assert.ThrowsAnyAsync<Exception>(() => answer.Content.ReadAsStringAsync());

        await engines.Gateway.Measured.RequestsAsync(1);
        Assert.Equal((1, 0), (engines.A.Inferences().Count, engines.B.Inferences().Count));
        Assert.Equal(1, engines.Gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")));
        await engines.Gateway.MeasuresAsync(0, "hazumu.gateway.retries");
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(500)]
    [InlineData(502)]
    public async Task An_error_response_of_the_engine_is_passed_on(int status)
    {
        await using var engines = await Two.StartAsync();
        engines.A.Inject(new MockFault(MockFaultKind.Status) { Status = status, Message = "out of memory" });

        var answer = await engines.Gateway.Http.ChatAsync();

        Assert.Equal((status, "a"), (answer.Status, answer.Instance));
        Assert.Contains("out of memory", answer.Text, StringComparison.Ordinal);
        Assert.Empty(engines.B.Inferences());
    }

    [Fact]
    public async Task Where_no_other_has_the_model_a_503_is_the_answer()
    {
        await using var a = await MockEngine.StartAsync(new() { Models = [new MockModel("mock")] });
        await using var b = await MockEngine.StartAsync(new() { Models = [new MockModel("spare")] });
        await using var gateway = await TestGateway.StartAsync([("a", a.Address), ("b", b.Address)]);
        a.Inject(new MockFault(MockFaultKind.Status) { Status = 503, RetryAfter = "7", Message = "server busy" });

        var answer = await gateway.Http.ChatAsync();

        Assert.Equal((503, "a", "7"), (answer.Status, answer.Instance, answer["Retry-After"]));
        Assert.Contains("server busy", answer.Text, StringComparison.Ordinal);
        Assert.Empty(b.Inferences());
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task The_last_failure_is_returned_in_the_clients_dialect_after_all_attempts(string path)
    {
        await using var engines = await Two.StartAsync("--Gateway:Retries:Limit=1");
        engines.A.Inject(new MockFault(MockFaultKind.ResetBeforeResponse));
        engines.B.Inject(new MockFault(MockFaultKind.ResetBeforeResponse));

        var answer = await engines.Gateway.Http.ChatAsync(path);

        answer.IsRefusal(path, HttpStatusCode.BadGateway, "api_error", "could not be reached or broke off");
        answer.TellsWhenToComeBack();
        Assert.Equal((1, 1), (engines.A.Inferences().Count, engines.B.Inferences().Count));
        await engines.Gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, engines.Gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "engine_unreachable")));
    }

    [Fact]
    public async Task A_spent_retry_budget_allows_no_retry()
    {
        await using var engines = await Two.StartAsync("--Gateway:Retries:Limit=1", "--Gateway:Retries:BudgetPercent=0", "--Gateway:Fleet:FailureThreshold=100");
        engines.A.Inject(new MockFault(MockFaultKind.ResetBeforeResponse));
        engines.B.Inject(new MockFault(MockFaultKind.ResetBeforeResponse));

        for (var request = 0; request < 14; request++)
        {
            Assert.Equal(502, (await engines.Gateway.Http.ChatAsync()).Status);
        }

        // Ten at first, and none is earned.
        Assert.Equal(14 + 10, engines.A.Inferences().Count + engines.B.Inferences().Count);
        await engines.Gateway.Measured.RequestsAsync(14);
        await engines.Gateway.MeasuresAsync(10, "hazumu.gateway.retries");
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(3_000_000)]
    public async Task Large_body_goes_to_another_instance_whole(int size)
    {
        await using var engines = await Two.StartAsync();
        engines.A.Inject(new MockFault(MockFaultKind.ResetBeforeResponse));
        var body = Ask.Body(new string('x', size));

        var answer = await engines.Gateway.Http.ChatAsync(body: body);

        Assert.Equal((200, "b"), (answer.Status, answer.Instance));
        var arrived = Assert.Single(engines.B.Inferences());
        await arrived.Ended;
        Assert.Equal(body.Length, arrived.BodyBytes);
        await Wait.UntilAsync(() => Assert.Equal((0, 0), (engines.Gateway.Service<BodyBudget>().Memory, engines.Gateway.Service<BodyBudget>().Disk)));
    }

    [Fact]
    public async Task A_management_request_is_not_retried()
    {
        await using var engines = await Two.StartAsync();
        engines.A.Inject(new MockFault(MockFaultKind.ResetBeforeResponse) { Path = "/api/pull", Times = 1 });
        engines.B.Inject(new MockFault(MockFaultKind.ResetBeforeResponse) { Path = "/api/pull", Times = 1 });

        var answer = await engines.Gateway.Http.ChatAsync("/api/pull", """{"model":"new"}""");

        answer.IsRefusal("/api/pull", HttpStatusCode.BadGateway, "", "broke off before it answered");
        Assert.Single(engines.A.Requests.Concat(engines.B.Requests), request => request.Path == "/api/pull");
    }

    private static async Task FailAsync(MockEngine engine, Failure failure)
    {
        switch (failure)
        {
            case Failure.Refused:
                await engine.KillAsync();
                break;
            case Failure.Busy:
                engine.Inject(new MockFault(MockFaultKind.Status) { Status = 503 });
                break;
            default:
                engine.Inject(new MockFault(MockFaultKind.ResetBeforeResponse) { BeforeBody = failure == Failure.ResetBeforeTheBody });
                break;
        }
    }
}

/// <summary>Two engines, <c>a</c> and <c>b</c>, that have <c>mock</c> on disk, and a gateway that asks them seldom how they are.</summary>
internal sealed class Two(MockEngine a, MockEngine b, TestGateway gateway) : IAsyncDisposable
{
    public MockEngine A => a;

    public MockEngine B => b;

    public TestGateway Gateway => gateway;

    public static async Task<Two> StartAsync(params string[] arguments)
    {
        var (a, b) = (await MockEngine.StartAsync(), await MockEngine.StartAsync());
        return new Two(a, b, await TestGateway.StartAsync([("a", a.Address), ("b", b.Address)], ["--Gateway:Fleet:ProbeInterval=1m", .. arguments]));
    }

    public async ValueTask DisposeAsync()
    {
        await gateway.DisposeAsync();
        await a.DisposeAsync();
        await b.DisposeAsync();
    }
}

/// <summary>What an engine has seen.</summary>
internal static class Seen
{
    /// <summary>Requests that run a model.</summary>
    public static IReadOnlyList<MockRequest> Inferences(this MockEngine engine) => [.. engine.Requests.Where(request => request.Path is Ask.Native or Ask.OpenAI or Ask.Anthropic)];
}
