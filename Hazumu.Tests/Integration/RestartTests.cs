using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>What a restart of the host keeps, and what it leaves.</summary>
[Collection(Graph.Collection)]
public sealed class RestartTests
{
    public RestartTests() => Skip.IfMissing(Component.Prometheus);

    [Fact]
    public async Task Volumes_survive_a_restart_of_the_host_and_a_model_that_is_there_is_not_pulled()
    {
        Skip.IfMissing(Component.Ollama);

        var backend = new AppHostBackend();
        await backend.InitializeAsync();
        try
        {
            var ollama = new OllamaClient(backend.Http, backend.Url(Component.Ollama));
            await ollama.CreateTinyModelAsync();
            await Wait.UntilAsync("a first sample", TimeSpan.FromSeconds(60), async () =>
                Assert.NotEmpty(await backend.Prometheus.QueryAsync("up{job=\"prometheus\"}")));
            var stopped = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1;

            await backend.StopAsync();
            await Wait.UntilAsync("the network to be gone", TimeSpan.FromSeconds(30), async () =>
                Assert.False((await ContainerCli.RunAsync("network", "inspect", backend.Name)).Succeeded));

            // Named without its tag: a pull of this model would fail, since no library has it.
            backend.Models = OllamaClient.TinyModelName.Split(':')[0];
            await backend.StartAsync();
            await backend.WaitUntilModelIsReadyAsync("ollama-hazumu-tiny");
            Assert.Contains(OllamaClient.TinyModelName, await ollama.ListModelsAsync());
            Assert.NotEmpty(await backend.Prometheus.QueryAsync($"count_over_time(up{{job=\"prometheus\"}}[10m] @ {stopped})"));
        }
        finally
        {
            await backend.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_network_stays_while_an_outsider_uses_it()
    {
        var backend = new AppHostBackend();
        var outsider = $"{backend.Name}-outsider";
        await backend.InitializeAsync();
        try
        {
            await ContainerCli.RunOrThrowAsync("run", "--detach", "--name", outsider, "--network", backend.Name, "--entrypoint", "sleep", Component.Prometheus.Image, "300");
            await backend.StopAsync();
            Assert.True((await ContainerCli.RunAsync("network", "inspect", backend.Name)).Succeeded);
        }
        finally
        {
            await ContainerCli.RunAsync("rm", "--force", "--volumes", outsider);
            await backend.DisposeAsync();
        }
    }
}
