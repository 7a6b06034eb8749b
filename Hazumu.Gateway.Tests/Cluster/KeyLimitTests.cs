using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>What keys have used is not forgotten where a connection breaks or another gateway admits.</summary>
public sealed class KeyLimitTests
{
    private const string Single = "the-key-of-somebody-single";
    private const string Twice = "the-key-of-somebody-twice";
    private const string Chatty = "the-key-of-somebody-chatty";

    private static readonly string[] s_keys =
    [
        "--Gateway:Slots=8",
        $"--Gateway:Keys:Configured:single:Key={Single}",
        "--Gateway:Keys:Configured:single:ConcurrentRequests=1",
        $"--Gateway:Keys:Configured:twice:Key={Twice}",
        "--Gateway:Keys:Configured:twice:RequestsPerMinute=2",
        $"--Gateway:Keys:Configured:chatty:Key={Chatty}",
        "--Gateway:Keys:Configured:chatty:TokensPerMinute=2",
    ];

    [Fact]
    public async Task A_connection_that_breaks_takes_nothing_along()
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address], s_keys);
        var single = await group[1].Http.BeginAsync(key: Single);
        var chatty = await group[1].Http.BeginAsync(key: Chatty);
        await engine.HoldsAsync(2);

        await group.HoldsAsync();
        group[1].Service<ClusterAdmission>().Cut();

        await Wait.WhileAsync(2.5 * ClusterAdmission.Settling, async () =>
        {
            await IsRefusedAsync(group[0], Single);
            await IsRefusedAsync(group[1], Single);
        });

        Assert.False(group[1].Service<IAdmission>().IsAdmitting);
        engine.Release(2);
        await single.Content.ReadAsStringAsync();
        await chatty.Content.ReadAsStringAsync();

        // Its answer had two tokens, told over another connection than its beginning.
        await Wait.UntilAsync(() => Assert.Equal((0, 2), (AdmissionTests.InUse(group[0]), Tokens(group[0]))));
        await IsRefusedAsync(group[0], Chatty);
        await IsServedAsync(group[0], engine, Single);
    }

    [Fact]
    public async Task A_request_queued_at_another_gateway_is_refused_when_its_key_is_revoked()
    {
        using var folder = new TemporaryFolder();
        var (running, runningKey) = TestKeys.Make("running");
        var (waiting, waitingKey) = TestKeys.Make("waiting");
        TestKeys.Write(folder.File("keys.json"), running, waiting);
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var group = await ClusterGroup.StartAsync(
            2, [engine.Address], "--Gateway:Slots=1", "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={folder.File("keys.json")}");
        using var first = await group[0].Http.BeginAsync(key: runningKey);
        var second = group[1].Http.ChatAsync(key: waitingKey);
        await group[0].WaitsAsync(1);

        TestKeys.Write(folder.File("keys.json"), running);
        group[1].Service<KeyStore>().Refresh();

        Assert.Equal(401, (await second).Status);
        await group[0].WaitsAsync(0);
        engine.Release();
        Assert.Contains("\"done\":true", await first.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(engine.Asked);
    }

    /// <summary>A kill, and a stop after which its streams go on.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_next_gateway_that_admits_knows_the_usage_of_keys(bool isKilled)
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var store = await ValkeyServer.StartAsync();
        string[] arguments = [.. store.Arguments, .. s_keys];
        await using var old = await TestGatewayProcess.StartAsync([("e", engine.Address)], arguments);
        await Wait.UntilAsync(() => Assert.Contains(old.Printed, line => line.Contains("This gateway leads", StringComparison.Ordinal)));
        await using var next = await TestGateway.StartAsync([("e", engine.Address)], arguments);
        await using var young = await TestGateway.StartAsync([("e", engine.Address)], arguments);
        await Wait.UntilAsync(() => Assert.Equal((AdmissionMode.Elsewhere, 2, 2), (young.Service<Scheduler>().Mode, young.Service<ClusterAdmission>().Peers, next.Service<ClusterAdmission>().Peers)));

        // Each by another gateway; the second request of the key of two is told of by the younger one alone.
        await IsServedAsync(old.Http, engine, Twice);
        await IsServedAsync(young.Http, engine, Twice);
        await IsServedAsync(young.Http, engine, Chatty);
        await Wait.UntilAsync(() => Assert.Equal(2, Tokens(young)));
        var running = await young.Http.BeginAsync(key: Single);
        await engine.HoldsAsync(1);

        if (isKilled)
        {
            await old.KillAsync();
        }
        else
        {
            old.Terminate();
        }

        await Wait.WhileAsync(2 * ClusterAdmission.Settling, async () =>
        {
            foreach (var gateway in (TestGateway[])[next, young])
            {
                foreach (var key in (string[])[Twice, Chatty, Single])
                {
                    await IsRefusedAsync(gateway, key);
                }
            }
        });

        var leader = await ClusterGroup.FindLeaderAsync(next, young);
        engine.Release();
        Assert.Contains("\"done\":true", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await Wait.UntilAsync(() => Assert.Equal(0, AdmissionTests.InUse(leader)));
        await IsServedAsync(next.Http, engine, Single);
    }

    private static int Tokens(TestGateway gateway) => (int)Math.Round(gateway.Service<KeyLimits>().Used().Sum(used => used.Use.Tokens));

    private static async Task IsRefusedAsync(TestGateway gateway, string key)
    {
        using var answer = await gateway.Http.BeginAsync(key: key).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True((int)answer.StatusCode == 429, $"{key} was served.");
    }

    private static Task IsServedAsync(TestGateway gateway, HeldEngine engine, string key) => IsServedAsync(gateway.Http, engine, key);

    private static async Task IsServedAsync(HttpClient http, HeldEngine engine, string key)
    {
        engine.Release();
        Assert.Equal(200, (await http.ChatAsync(key: key)).Status);
    }
}
