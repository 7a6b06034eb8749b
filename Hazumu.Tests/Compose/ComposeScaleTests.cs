using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>Two replicas of Ollama, which Compose's DNS has under one name, and the gateway in front of them.</summary>
public sealed class ScaledComposeBackend : ComposeBackend
{
    public override int OllamaInstances => 2;

    public override IReadOnlyList<Component> Components => base.Components.Contains(Component.Gateway) && base.Components.Contains(Component.Ollama) ? [Component.Ollama, Component.Gateway] : [];

    /// <summary>What the gateway measures, from its management port, which is inside the network only.</summary>
    public async Task<string> GatewayMetricsAsync()
    {
        var answer = await ComposeAsync(["exec", "-T", "gateway", "wget", "-q", "-O", "-", "http://127.0.0.1:8081/metrics"]);
        Assert.True(answer.Succeeded, answer.Output);
        return answer.Output;
    }
}

/// <summary>What the gateway makes of a service that is scaled.</summary>
public sealed class ComposeScaleTests(ScaledComposeBackend backend) : IClassFixture<ScaledComposeBackend>
{
    [Fact]
    public async Task Each_replica_is_an_instance()
    {
        backend.SkipIfMissing(Component.Gateway, Component.Ollama);

        await Wait.UntilAsync("both replicas to be up", TimeSpan.FromSeconds(60), async () =>
        {
            var metrics = await backend.GatewayMetricsAsync();
            var up = metrics.Split('\n').Where(line => line.StartsWith("hazumu_gateway_instance_up{", StringComparison.Ordinal)).ToList();
            Assert.Equal(backend.OllamaInstances, up.Count);
            Assert.All(up, line => Assert.Matches("hazumu_instance=\"ollama@[0-9.]+\".* 1$", line));
        }, () => backend.LogAsync(Component.Gateway));

        // The replicas share their volume: what one has, the other has.
        var gateway = new OllamaClient(backend.Http, backend.Url(Component.Gateway));
        await gateway.CreateTinyModelAsync();
        Assert.NotEmpty(await gateway.GenerateAsync("Hello"));
    }
}
