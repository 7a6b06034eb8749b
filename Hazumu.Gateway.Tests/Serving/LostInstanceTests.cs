using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A host that vanishes without a word: its connections stay open, and only the probes find out.</summary>
public sealed class LostInstanceTests
{
    [Theory]
    [InlineData(Ask.Native, true)]
    [InlineData(Ask.OpenAI, true)]
    [InlineData(Ask.Anthropic, false)]
    public async Task Request_without_a_byte_moves_to_another_instance(string path, bool hasHeaders)
    {
        await using var vanished = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            if (hasHeaders)
            {
                await exchange.BeginAsync("application/json");
            }

            await exchange.Gone;
        });
        await using var well = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            [("a", vanished.Address), ("b", well.Address)], "--Gateway:Fleet:ProbeInterval=1m", "--Gateway:Timeouts:UpstreamReleased=1s", "--Gateway:Retries:BudgetPercent=0", "--Gateway:Slots=16");
        var waiting = Enumerable.Range(0, 12).Select(number => gateway.Http.ChatAsync(path, Ask.Body($"{number}", streams: false))).ToList();
        await vanished.WaitForAsync(12);

        Lose(gateway, "a");

        Assert.All(await Task.WhenAll(waiting), answer => Assert.Equal((200, "b"), (answer.Status, answer.Instance)));
    }

    [Fact]
    public async Task Answer_that_has_begun_stays_and_so_does_one_without_another_instance()
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var silent = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync([("a", engine.Address)], "--Gateway:Fleet:ProbeInterval=1m");
        await using var other = await TestGateway.StartAsync([("a", silent.Address)], "--Gateway:Fleet:ProbeInterval=1m");
        var begun = gateway.Http.ChatAsync();
        var alone = other.Http.ChatAsync();
        await engine.HoldsAsync(1);
        await silent.HoldsAsync(1);

        Lose(gateway, "a");
        Lose(other, "a");
        engine.Release();
        silent.Release();

        Assert.Contains("\"done\":true", (await begun).Text, StringComparison.Ordinal);
        Assert.Contains("\"done\":true", (await alone).Text, StringComparison.Ordinal);
    }

    // As three probes that get no answer do, in 15 s.
    private static void Lose(TestGateway gateway, string name)
    {
        var instance = gateway.Fleet.Instances.Single(instance => instance.Name == name);
        Instance? lost = null;
        gateway.Fleet.Lost += instance => lost = instance;
        for (var probe = 0; probe < 3; probe++)
        {
            gateway.Fleet.OnProbe(instance, isUp: false);
        }

        // Its circuit may be half open by now: a request that has moved causes a probe, which this instance answers.
        Assert.Same(instance, lost);
    }
}
