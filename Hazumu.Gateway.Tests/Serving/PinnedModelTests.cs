using System.Text;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Models that are kept in memory, at engines that speak like Ollama.</summary>
public sealed class PinnedModelTests
{
    private static readonly TimeSpan s_probe = TimeSpan.FromMilliseconds(200);

    [Fact]
    public async Task A_pinned_model_is_loaded_at_the_start_and_after_a_restart()
    {
        var options = new MockEngineOptions { Models = [new("m"), new("embeds") { Embeds = true }], LoadTime = s_probe };
        var engine = await MockEngine.StartAsync(options);
        await using var gateway = await TestGateway.StartAsync(
            engine.Address, "--Gateway:PinnedModels:0:Model=m", "--Gateway:PinnedModels:1:Model=embeds", $"--Gateway:Fleet:ProbeInterval={s_probe.TotalMilliseconds}ms");
        await LoadedAsync(engine);
        Assert.Contains(engine.Requests, request => Encoding.UTF8.GetString(request.Body).Contains("\"keep_alive\":-1", StringComparison.Ordinal));

        await engine.DisposeAsync();
        await using var restarted = await MockEngine.StartAsync(options with { Port = engine.Address.Port });
        await LoadedAsync(restarted);

        await Wait.UntilAsync(() => Assert.Equal(
            [(1, 0), (1, 0)], gateway.Service<PinnedModelLoader>().Current.Select(pin => (pin.Wanted, pin.Missing))));

        static Task LoadedAsync(MockEngine engine) => engine.WaitUntilAsync(engine => engine.LoadedModels.Count == 2, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Of_several_gateways_one_loads_a_pinned_model()
    {
        await using var engine = await MockEngine.StartAsync(new() { Models = [new("m")], LoadTime = TimeSpan.FromSeconds(3) });
        await using var gateways = await ClusterGroup.StartAsync(2, [engine.Address], "--Gateway:PinnedModels:0:Model=m");
        await engine.WaitUntilAsync(engine => engine.LoadedModels.Count == 1, TimeSpan.FromSeconds(30));

        await Wait.UntilAsync(() => Assert.All(gateways.All, gateway => Assert.Equal(0, Assert.Single(gateway.Service<PinnedModelLoader>().Current).Missing)));
        Assert.Single(engine.Requests, request => request.Path == "/api/generate");
    }
}
