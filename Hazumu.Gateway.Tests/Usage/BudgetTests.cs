using System.Globalization;
using System.Net;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Usage;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Usage;

/// <summary>Budgets over HTTP, over restarts, and with several gateways.</summary>
public sealed class BudgetTests : IAsyncLifetime
{
    private const string Alice = "the-key-of-somebody-alice";
    private const string Bob = "the-key-of-somebody-bob";

    private readonly TemporaryFolder _folder = new();
    private readonly HeldEngine _engine = HeldEngine.Start();

    private string[] Arguments =>
    [
        $"--Gateway:Usage:File={_folder.File("usage.db")}",
        "--Gateway:Slots=64",
        $"--Gateway:Keys:Configured:alice:Key={Alice}",
        "--Gateway:Keys:Configured:alice:Group=sales",
        $"--Gateway:Keys:Configured:bob:Key={Bob}",
        "--Gateway:Keys:Configured:bob:Group=sales",
    ];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task A_request_over_a_budget_is_refused_in_the_clients_dialect(string path)
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, [.. Arguments, "--Gateway:Budgets:EachKey:RequestsPerDay=1"]);
        _engine.Release();
        var first = await gateway.Http.ChatAsync(key: Alice);

        var second = await gateway.Http.ChatAsync(path, key: Alice);

        Assert.Equal(200, first.Status);
        Assert.StartsWith("\"key-requests-day\";r=0;t=", first["RateLimit"], StringComparison.Ordinal);
        Assert.Equal("\"key-requests-day\";q=1;qu=\"requests\"", first["RateLimit-Policy"]);
        second.IsRefusal(path, HttpStatusCode.TooManyRequests, "rate_limit_error", "The key 'alice' has used its budget (1 requests per day); it begins again at ");
        second.TellsWhenToComeBack(most: 86_400);
        Assert.Equal("key-requests-day", second["Hazumu-Budget-Exceeded"]);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.over_budget", ("budget", "key-requests-day"), ("key", "alice")));
    }

    [Fact]
    public async Task A_shadow_budget_is_only_told()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, [.. Arguments, "--Gateway:Budgets:Keys:Alice:TokensPerMonth=2", "--Gateway:Budgets:Keys:Alice:Shadow=true"]);
        _engine.Release(3);

        Assert.Null((await gateway.Http.ChatAsync(key: Alice))["Hazumu-Budget-Exceeded"]);
        Assert.Equal((200, "key-tokens-month"), Told(await gateway.Http.ChatAsync(key: Alice)));
        Assert.Equal((200, "key-tokens-month"), Told(await gateway.Http.ChatAsync(key: Alice)));

        Assert.Single(gateway.Logged, line => line.Contains("The key 'alice' has used its budget (2 tokens per month)", StringComparison.Ordinal));

        static (int, string?) Told(ChatAnswer answer) => (answer.Status, answer["Hazumu-Budget-Exceeded"]);
    }

    [Fact]
    public async Task A_group_shares_its_budget()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, [.. Arguments, "--Gateway:Budgets:Groups:sales:TokensPerDay=4"]);
        _engine.Release(2);

        Assert.Equal(200, (await gateway.Http.ChatAsync(key: Alice)).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: Bob)).Status);

        (await gateway.Http.ChatAsync(key: Bob)).IsRefusal(Ask.Native, HttpStatusCode.TooManyRequests, "", "The group 'sales' has used its budget (4 tokens per day)");
    }

    [Fact]
    public async Task Each_end_user_has_a_budget()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, [.. Arguments, "--Gateway:Keys:Configured:alice:EndUsers=X-User", "--Gateway:Budgets:EachUser:RequestsPerMonth=1"]);
        _engine.Release(2);

        Assert.Equal((200, 429, 200), (await AsUserAsync("carol"), await AsUserAsync("carol"), await AsUserAsync("dave")));

        async Task<int> AsUserAsync(string user)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Ask.Native, UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
            request.Headers.Add("Authorization", $"Bearer {Alice}");
            request.Headers.Add("X-User", user);
            using var answer = await gateway.Http.SendAsync(request);
            return (int)answer.StatusCode;
        }
    }

    /// <summary>A stop and a kill.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_restart_in_mid_month_forgets_nothing(bool isKilled)
    {
        string[] arguments = [.. Arguments, "--Gateway:Budgets:EachKey:TokensPerMonth=6"];
        await using (var gateway = await TestGatewayProcess.StartAsync(_engine.Address, arguments))
        {
            _engine.Release(3);
            for (var number = 0; number < 3; number++)
            {
                Assert.Equal(200, (await gateway.Http.ChatAsync(key: Alice)).Status);
            }

            if (isKilled)
            {
                await Wait.UntilAsync(async () => Assert.Contains("alice,3,", (await gateway.Http.AnswerAsync(HttpMethod.Get, "/hazumu/usage?by=key&format=csv")).Text, StringComparison.Ordinal));
                await gateway.KillAsync();
            }
            else
            {
                gateway.Terminate();
                await gateway.EndAsync(TimeSpan.FromSeconds(20));
            }
        }

        await using var next = await TestGateway.StartAsync(_engine.Address, arguments);
        Assert.Equal(429, (await next.Http.ChatAsync(key: Alice)).Status);
        _engine.Release();
        Assert.Equal(200, (await next.Http.ChatAsync(key: Bob)).Status);
    }

    [Fact]
    public async Task Two_gateways_hold_a_budget_of_requests_exactly_under_load()
    {
        const int Budget = 37;
        await using var group = await ClusterGroup.StartAsync(2, [_engine.Address], [.. Arguments, $"--Gateway:Budgets:EachKey:RequestsPerDay={Budget.ToString(CultureInfo.InvariantCulture)}"]);
        _engine.Release(200);

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(number => group[number % 2].Http.ChatAsync(key: Alice)));

        Assert.Equal(Budget, answers.Count(answer => answer.Status == 200));
        Assert.Equal(200 - Budget, answers.Count(answer => answer.Status == 429));
        Assert.Equal(Budget, _engine.Answered);
    }

    [Fact]
    public async Task Two_gateways_exceed_a_budget_of_tokens_by_one_request_at_most()
    {
        // An estimate is 256 tokens and more: one request at a time runs, and uses two.
        await using var group = await ClusterGroup.StartAsync(2, [_engine.Address], [.. Arguments, "--Gateway:Budgets:EachKey:TokensPerDay=21"]);
        _engine.Release(200);
        var served = 0;
        for (var refused = 0; refused < 4;)
        {
            var answers = await Task.WhenAll(group[0].Http.ChatAsync(key: Alice), group[1].Http.ChatAsync(key: Alice));
            served += answers.Count(answer => answer.Status == 200);
            refused += answers.Count(answer => answer.Text.Contains("has used its budget", StringComparison.Ordinal));
        }

        Assert.Equal(11, served);
        Assert.All(group.All, gateway => Assert.Equal(22, Assert.Single(gateway.Service<BudgetLedger>().All()).DayTokens));
    }

    [Fact]
    public async Task The_next_gateway_that_admits_knows_what_is_used()
    {
        await using var store = await ValkeyServer.StartAsync();
        string[] arguments = [.. store.Arguments, .. Arguments, "--Gateway:Budgets:EachKey:RequestsPerDay=4"];
        await using var old = await TestGatewayProcess.StartAsync([("e", _engine.Address)], arguments);
        await Wait.UntilAsync(() => Assert.Contains(old.Printed, line => line.Contains("This gateway leads", StringComparison.Ordinal)));
        await using var next = await TestGateway.StartAsync([("e", _engine.Address)], arguments);
        await Wait.UntilAsync(() => Assert.Equal(1, next.Service<Hazumu.Gateway.Cluster.ClusterAdmission>().Peers));
        _engine.Release(4);

        // What the killed one has stored, and what the next one has counted by itself.
        Assert.Equal(200, (await old.Http.ChatAsync(key: Alice)).Status);
        Assert.Equal(200, (await old.Http.ChatAsync(key: Alice)).Status);
        await Wait.UntilAsync(async () => Assert.Contains("alice,2,", (await next.Http.AnswerAsync(HttpMethod.Get, "/hazumu/usage?by=key&format=csv")).Text, StringComparison.Ordinal));
        Assert.Equal(200, (await next.Http.ChatAsync(key: Alice)).Status);
        Assert.Equal(200, (await next.Http.ChatAsync(key: Alice)).Status);
        await old.KillAsync();

        Assert.Equal(429, (await next.Http.ChatAsync(key: Alice)).Status);
        Assert.True(next.Service<Hazumu.Gateway.Cluster.ClusterAdmission>().IsLeader);
    }
}
