using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Server;

/// <summary>
/// A server with Docker and nothing else, onto which the README's steps for production bring the published application. Beside them it
/// gets the images, as no registry may be reachable, and an <c>.env</c> that tells which ones.
/// </summary>
public sealed partial class ServerBackend : IAsyncLifetime
{
    /// <summary>What a silence says that is there from the beginning.</summary>
    public const string SilenceComment = "from before the engine was ended";

    private const string Archive = "gateway.tar.gz";

    private readonly PrivateServer _server = new();
    private X509Certificate2? _authority;

    /// <summary>Why there is none here, or <see langword="null"/> where there is.</summary>
    public static string? Missing => ProductionBackend.Missing ?? PrivateServer.Missing;

    /// <summary>A client on the server with a key of the gateway's.</summary>
    public HttpClient Client { get; private set; } = null!;

    /// <summary>The README's commands, one a line.</summary>
    public IReadOnlyList<string> Commands { get; } =
        [.. ProductionBlock().Match(File.ReadAllText(RepositoryRoot.Combine("README.md"))).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)];

    public async ValueTask InitializeAsync()
    {
        if (Missing is not null)
        {
            return;
        }

        try
        {
            await _server.SwitchOnAsync();
            await CopyAsync();
            foreach (var command in Commands)
            {
                await _server.RunAsync("sh", "-c", command);
            }

            _authority = X509Certificate2.CreateFromPem(await ExecuteAsync("edge", "cat", "/data/caddy/pki/authorities/local/root.crt"));
            Client = _server.Client(_authority);
            var created = await ExecuteAsync("gateway", "/app/Hazumu.Gateway", "keys", "create", "tester", "--scopes", "infer,read,admin");
            Client.DefaultRequestHeaders.Add("x-api-key", ProductionBackend.FindKey(created));
            if (ProductionFiles.Components.Contains(Component.Alertmanager))
            {
                await SilenceAsync();
            }

            await Wait.UntilAsync("the gateway to know the key", TimeSpan.FromSeconds(30), () => Client.GetStringAsync(new Uri("api/tags", UriKind.Relative)));
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        _authority?.Dispose();
        await _server.DisposeAsync();
    }

    /// <summary>Ends the engine, in one of several ways, and starts it again; nothing else is started.</summary>
    /// <param name="how"><c>TERM</c> and <c>KILL</c> are signals to the engine; <c>power</c> ends every process of the server.</param>
    public async Task RestartEngineAsync(string how)
    {
        if (how == "power")
        {
            await _server.SwitchOffAsync();
            await _server.SwitchOnAsync();
            await ConnectAsync();
            return;
        }

        await _server.EndEngineAsync(how);
        await _server.StartEngineAsync();
    }

    /// <summary>The state of each container of the application that is to run for as long as the server does.</summary>
    /// <returns>Lines <c>SERVICE STATE HEALTH</c>.</returns>
    public async Task<IReadOnlyList<string>> StatesAsync()
    {
        var containers = await _server.RunAsync("docker", "ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project");
        var states = await _server.RunAsync("docker", ["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}} {{index .Config.Labels \"com.docker.compose.service\"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}", .. containers.Split('\n')]);
        return [.. states.Split('\n').Where(line => !line.StartsWith("no ", StringComparison.Ordinal)).Select(line => line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..])];
    }

    /// <summary>Waits until every container is healthy.</summary>
    public Task WaitUntilHealthyAsync() => Wait.UntilAsync("every container to be healthy", TimeSpan.FromMinutes(3), async () =>
    {
        var states = await StatesAsync();
        Assert.Equal(ProductionFiles.Components.Count + 1, states.Count);
        Assert.All(states, state => Assert.EndsWith(" running healthy", state, StringComparison.Ordinal));
    });

    /// <summary>Runs a program in a service's container.</summary>
    public Task<string> ExecuteAsync(string service, params string[] command) => _server.RunAsync("docker", ["compose", "exec", "-T", service, .. command]);

    /// <summary>Evaluates an expression in Prometheus.</summary>
    public async Task<int> CountAsync(string expression, DateTimeOffset? time = null)
    {
        var at = time is { } moment ? $"&time={moment.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)}" : "";
        var answer = await ExecuteAsync("prometheus", "wget", "-q", "-O", "-", $"http://127.0.0.1:9090/api/v1/query?query={Uri.EscapeDataString(expression)}{at}");
        return JsonSerializer.Deserialize<JsonElement>(answer).GetProperty("data").GetProperty("result").GetArrayLength();
    }

    /// <summary>What is silenced, as Alertmanager tells.</summary>
    public Task<string> SilencesAsync() => ExecuteAsync("alertmanager", "wget", "-q", "-O", "-", "http://127.0.0.1:9093/api/v2/silences");

    // Alertmanager keeps what is silenced in memory, and writes it each minute.
    private async Task SilenceAsync()
    {
        var now = DateTimeOffset.UtcNow;
        var silence = JsonSerializer.Serialize(new
        {
            matchers = new[] { new { name = "alertname", value = "Nothing", isRegex = false } },
            startsAt = now,
            endsAt = now.AddHours(1),
            createdBy = "tester",
            comment = SilenceComment,
        });
        await ExecuteAsync("alertmanager", "wget", "-q", "-O", "-", "--header", "Content-Type: application/json", "--post-data", silence, "http://127.0.0.1:9093/api/v2/silences");
        await Wait.UntilAsync("the silence to be written", TimeSpan.FromSeconds(90), async () =>
            Assert.NotEqual("0", await ExecuteAsync("alertmanager", "sh", "-c", "stat -c %s /alertmanager/silences")));
    }

    private async Task CopyAsync()
    {
        Published.CopyFolder(Published.Compose, _server.Home);
        await ProcessRunner.RunOrThrowAsync("sh", ["-c", "docker save \"$1\" | gzip -1 > \"$2\"", "sh", Component.Gateway.Image, Path.Combine(_server.Home, Archive)], TimeSpan.FromMinutes(3));
        var components = ProductionFiles.Components.Append(Component.Edge).Where(component => component.Missing is null && component != Component.Gateway).ToList();
        await _server.TakeImagesAsync(components.Select(component => component.Image));
        await ProductionFiles.WriteAsync(_server.Home, ProductionFiles.Components);
        await File.WriteAllLinesAsync(
            Path.Combine(_server.Home, ".env"),
            [$"COMPOSE_FILE={string.Join(':', ProductionFiles.Names(ProductionFiles.Components))}", .. components.Select(component => $"Hazumu__{component.Section}__Image={component.Image}")]);
        await ConnectAsync();
    }

    // A network of its own begins with everything down, the loopback interface too.
    private Task<string> ConnectAsync() =>
        _server.RunAsync("docker", "run", "--rm", "--network", "host", "--cap-add", "NET_ADMIN", "--user", "0", "--entrypoint", "ifconfig", Component.Prometheus.Image, "lo", "127.0.0.1", "up");

    [GeneratedRegex("## In production\n.*?```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ProductionBlock();
}

/// <summary>Production as the README has it, on a server of its own whose engine is ended and started.</summary>
public sealed class ServerTests(ServerBackend server) : IClassFixture<ServerBackend>
{
    [Fact]
    public async Task The_three_commands_of_the_README_start_it()
    {
        Skip.If(ServerBackend.Missing);

        Assert.Equal(3, server.Commands.Count);
        await server.WaitUntilHealthyAsync();
        Assert.Equal("{\"version\":", (await server.Client.GetStringAsync(new Uri("api/version", UriKind.Relative)))[..11]);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    [InlineData("power")]
    public async Task Nothing_is_lost_when_the_engine_is_ended(string how)
    {
        Skip.If(ServerBackend.Missing);

        await server.WaitUntilHealthyAsync();
        var ollama = new OllamaClient(server.Client, server.Client.BaseAddress!);
        await ollama.CreateTinyModelAsync();
        await Wait.UntilAsync("samples", TimeSpan.FromSeconds(60), async () => Assert.NotEqual(0, await server.CountAsync("up{job=\"gateway\"} == 1")));
        var before = DateTimeOffset.UtcNow;

        await server.RestartEngineAsync(how);

        await server.WaitUntilHealthyAsync();
        // The same authority, the same key, the same model, the samples from before and new ones.
        if (ProductionFiles.HasOllama)
        {
            await Wait.UntilAsync("the model", TimeSpan.FromMinutes(1), async () => Assert.Contains(TinyModel.Name, await ollama.ListModelsAsync()));
        }

        await Wait.UntilAsync("an answer", TimeSpan.FromMinutes(1), () => server.Client.GetStringAsync(new Uri("api/version", UriKind.Relative)));
        Assert.NotEqual(0, await server.CountAsync("up{job=\"gateway\"}", before));
        if (ProductionFiles.Components.Contains(Component.Alertmanager))
        {
            Assert.Contains(ServerBackend.SilenceComment, await server.SilencesAsync(), StringComparison.Ordinal);
        }

        await Wait.UntilAsync("new samples", TimeSpan.FromSeconds(60), async () => Assert.Equal(1, await server.CountAsync($"up{{job=\"gateway\"}} == 1 and timestamp(up{{job=\"gateway\"}}) > {DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 20}")));
    }
}
