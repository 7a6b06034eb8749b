using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>The whole graph, run by the AppHost, and the commands of its dashboard.</summary>
[Collection(Graph.Collection)]
public sealed class AppHostBackendTests(AppHostBackend backend) : BackendChecks(backend), IClassFixture<AppHostBackend>
{
    [Fact]
    public async Task The_reload_command_copies_the_rules_again()
    {
        backend.SkipIfMissing(Component.Prometheus);

        // Prometheus reads copies, because its port, and so the address of the runbooks, is not the default one.
        await backend.RunInAsync(Component.Prometheus, "sh", "-c", "test -f /tmp/prometheus/prometheus.yml && echo broken > /tmp/prometheus/prometheus.yml");

        await backend.ExecuteAsync(Component.Prometheus, "reload");
    }

    [Fact]
    public Task The_command_that_checks_everything_finds_nothing_wrong()
    {
        backend.SkipIfMissing(Component.Prometheus, Component.Alertmanager);
        return Wait.UntilAsync("nothing to be wrong", TimeSpan.FromSeconds(90), async () =>
        {
            var result = await backend.ExecuteAsync(Component.Prometheus.Service, "check-everything");
            Assert.Equal("Nothing is wrong.", result.Message);
            Assert.Matches(@"alert path +note +Prometheus to Alertmanager, no receiver", result.Data!.Value);
        }, () => backend.LogAsync(Component.Prometheus));
    }

    [Fact]
    public async Task The_unload_command_frees_a_loaded_model()
    {
        backend.SkipIfMissing(Component.Ollama);

        var ollama = new OllamaClient(backend.Http, backend.Url(Component.Ollama));
        await ollama.CreateTinyModelAsync();
        await ollama.GenerateAsync("Hello");
        Assert.Contains(OllamaClient.TinyModelName, await ollama.ListLoadedAsync());

        var result = await backend.ExecuteForModelAsync("unload-model", OllamaClient.TinyModelName);

        Assert.True(result.Success, result.Message);
        await Wait.UntilAsync("the model to be unloaded", TimeSpan.FromSeconds(30), async () => Assert.DoesNotContain(OllamaClient.TinyModelName, await ollama.ListLoadedAsync()), () => backend.LogAsync(Component.Ollama));
    }

    [Fact]
    public async Task The_pull_command_reports_why_a_model_cannot_be_pulled()
    {
        backend.SkipIfMissing(Component.Ollama);

        var result = await backend.ExecuteForModelAsync("pull-model", "hazumu-no-such-model:latest");

        Assert.False(result.Success);
        Assert.StartsWith("hazumu-no-such-model:latest could not be pulled: ", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_reset_command_sets_the_password_back_to_the_parameter()
    {
        backend.SkipIfMissing(Component.Grafana);

        using var change = Administrator(HttpMethod.Put, "api/user/password", "admin");
        change.Content = JsonContent.Create(new { oldPassword = "admin", newPassword = "forgotten" });
        using var changed = await backend.Http.SendAsync(change);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);

        await backend.ExecuteAsync(Component.Grafana, "reset-admin-password");

        using var ask = Administrator(HttpMethod.Get, "api/user", "admin");
        using var answer = await backend.Http.SendAsync(ask);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private HttpRequestMessage Administrator(HttpMethod method, string path, string password) => new(method, new Uri(backend.Url(Component.Grafana), path))
    {
        Headers = { Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"admin:{password}"))) },
    };
}
