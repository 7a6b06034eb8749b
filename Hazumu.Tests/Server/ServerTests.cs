using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Cli.Bundle;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Server;

/// <summary>
/// A server with Docker and nothing else, onto which the steps of docs/production.md bring a bundle. Beside the archive it gets the
/// images, as no registry may be reachable, and an <c>.env</c> that names them.
/// </summary>
public sealed partial class ServerBackend : IAsyncLifetime
{
    /// <summary>What a silence says that is there from the beginning.</summary>
    public const string SilenceComment = "from before the engine was ended";

    private static readonly DateTimeOffset s_version = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly PrivateServer _server = new();
    private X509Certificate2? _authority;

    /// <summary>Why there is none here, or <see langword="null"/> where there is.</summary>
    public static string? Missing => ProductionBackend.Missing ?? PrivateServer.Missing;

    /// <summary>A client on the server with a key of the gateway's.</summary>
    public HttpClient Client { get; private set; } = null!;

    /// <summary>The folder of the application on the server.</summary>
    public string Application => Path.Combine(_server.Home, BundleArchive.Folder);

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
            var page = await File.ReadAllTextAsync(RepositoryRoot.Combine("docs", "production.md"));
            await _server.RunAsync("sh", "-e", "-c", InstallationBlock().Match(page).Groups[1].Value);

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
    public async Task<string> ExecuteAsync(string service, params string[] command)
    {
        var result = await TryAsync("docker", ["compose", "exec", "-T", service, .. command]);
        return result.Succeeded ? result.Output.Trim() : throw new InvalidOperationException($"'{string.Join(' ', command)}' in {service} failed: {result.Output}");
    }

    /// <summary>Runs a program in the application's folder.</summary>
    public Task<CliResult> TryAsync(string program, params string[] arguments) => _server.TryAsync(Application, program, arguments);

    /// <summary>The identifier of the gateway's image.</summary>
    public Task<string> GatewayImageAsync() => _server.RunAsync("docker", "image", "inspect", "--format", "{{.Id}}", Component.Gateway.Image);

    /// <summary>Writes a bundle that is newer than the one that the server began with.</summary>
    /// <param name="hours">How much newer.</param>
    /// <param name="label">A label that makes its image of the gateway another one.</param>
    /// <param name="change">Changes the application.</param>
    /// <returns>The archive.</returns>
    public async Task<string> WriteBundleAsync(int hours, string label, Action<string> change)
    {
        var image = Path.Combine(_server.Home, $"gateway-{label}.tar.gz");
        var former = await GatewayImageAsync();
        var container = await _server.RunAsync("docker", "create", former);
        await _server.RunAsync("docker", "commit", "--change", $"LABEL upgrade={label}", container, Component.Gateway.Image);
        await _server.RunAsync("docker", "rm", container);
        await _server.RunAsync("sh", "-c", "docker save \"$1\" | gzip -1 > \"$2\"", "sh", Component.Gateway.Image, image);
        await _server.RunAsync("docker", "tag", former, Component.Gateway.Image);
        return await TestBundle.WriteAsync(Path.Combine(_server.Home, $"{label}.tar.gz"), s_version.AddHours(hours), image, change);
    }

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
        var image = Path.Combine(_server.Home, "image.tar.gz");
        await ProcessRunner.RunOrThrowAsync("sh", ["-c", "docker save \"$1\" | gzip -1 > \"$2\"", "sh", Component.Gateway.Image, image], TimeSpan.FromMinutes(3));
        await TestBundle.WriteAsync(Path.Combine(_server.Home, "hazumu.tar.gz"), s_version, image);
        File.Delete(image);
        var components = ProductionFiles.Components.Append(Component.Edge).Where(component => component.Missing is null && component != Component.Gateway).ToList();
        await _server.TakeImagesAsync(components.Select(component => component.Image));
        // What leave-out.sh writes depends on the published files, which come with the bundle.
        var published = Path.Combine(_server.Home, "published");
        Published.CopyFolder(Published.Compose, published);
        await ProductionFiles.WriteAsync(published, ProductionFiles.Components);
        Published.CopyFolder(published, Application, file => file == ProductionFiles.Own || file.StartsWith("left-out/", StringComparison.Ordinal));
        Directory.Delete(published, recursive: true);
        await File.WriteAllLinesAsync(
            Path.Combine(Application, ".env"),
            [$"COMPOSE_FILE={string.Join(':', ProductionFiles.Names(ProductionFiles.Components))}", .. components.Append(Component.Gateway).Select(component => $"Hazumu__{component.Section}__Image={component.Image}")]);
        await ConnectAsync();
    }

    // A network of its own begins with everything down, the loopback interface too.
    private Task<string> ConnectAsync() =>
        _server.RunAsync("docker", "run", "--rm", "--network", "host", "--cap-add", "NET_ADMIN", "--user", "0", "--entrypoint", "ifconfig", Component.Prometheus.Image, "lo", "127.0.0.1", "up");

    [GeneratedRegex("## Start\n.*?```sh\n(tar .*?)```", RegexOptions.Singleline)]
    private static partial Regex InstallationBlock();
}

/// <summary>Production as docs/production.md installs it, on a server of its own whose engine is ended and started, and whose application is upgraded.</summary>
public sealed class ServerTests(ServerBackend server) : IClassFixture<ServerBackend>
{
    private const string LeftOutFile = "left-out/docker-compose.yaml";

    [Fact]
    public async Task Commands_of_the_documentation_start_the_application_of_a_bundle()
    {
        Skip.If(ServerBackend.Missing);

        await server.WaitUntilHealthyAsync();
        Assert.Equal("{\"version\":", (await server.Client.GetStringAsync(new Uri("api/version", UriKind.Relative)))[..11]);
    }

    [Fact]
    public async Task Doctor_reports_what_is_wrong_and_nothing_else()
    {
        Skip.If(ServerBackend.Missing);

        await server.WaitUntilHealthyAsync();
        // This application has no receivers of alerts; an application without Alertmanager has nothing to set them up for.
        string[] receivers = ProductionFiles.Components.Contains(Component.Alertmanager) ? ["receivers"] : [];
        await Wait.UntilAsync("every target to be scraped", TimeSpan.FromMinutes(2), async () => Assert.Equal(receivers, await ProblemsAsync()));
        var closed = await server.TryAsync("chmod", "0400", "secrets/grafana_admin_password");
        Assert.True(closed.Succeeded, closed.Output);
        var stopped = await server.TryAsync("docker", "compose", "stop", "gateway");
        Assert.True(stopped.Succeeded, stopped.Output);

        var certificate = await server.ExecuteAsync("edge", "find", "/data/caddy/certificates", "-name", "localhost.crt");
        var valid = await server.ExecuteAsync("edge", "cat", certificate);
        await WriteCertificateAsync(CreateExpiredCertificate());

        var problems = await ProblemsAsync();

        // Only openssl reads certificates.
        string[] edge = (await server.TryAsync("sh", "-c", "command -v openssl")).Succeeded ? ["edge"] : [];
        Assert.Equal(["containers", "secrets", .. receivers, .. edge], problems.Where(name => name is not ("targets" or "alerts")));
        await WriteCertificateAsync(valid);
        var prepared = await server.TryAsync("sh", "secrets.sh");
        Assert.True(prepared.Succeeded, prepared.Output);
        var started = await server.TryAsync("docker", "compose", "start", "gateway");
        Assert.True(started.Succeeded, started.Output);
        await server.WaitUntilHealthyAsync();
        await Wait.UntilAsync("the doctor to find nothing more", TimeSpan.FromMinutes(4), async () => Assert.Equal(receivers, await ProblemsAsync()));

        async Task WriteCertificateAsync(string pem)
        {
            var file = Path.Combine(server.Application, "certificate.pem");
            await File.WriteAllTextAsync(file, pem);
            var written = await server.TryAsync("sh", "-c", $"docker compose exec -T edge sh -c 'cat > {certificate}' < certificate.pem");
            Assert.True(written.Succeeded, written.Output);
            File.Delete(file);
        }

        // The names of the checks that found a problem.
        async Task<IReadOnlyList<string>> ProblemsAsync()
        {
            var doctor = await server.TryAsync("sh", "doctor.sh");
            string[] problems = [.. doctor.Output.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(words => words is [_, "problem", ..]).Select(words => words[0]).Distinct()];
            Assert.Equal(problems.Length == 0 ? 0 : 1, doctor.ExitCode);
            return problems;
        }
    }

    private static string CreateExpiredCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddDays(-1));
        return certificate.ExportCertificatePem();
    }

    [Fact]
    public async Task Upgrade_replaces_the_application_and_keeps_what_is_the_users()
    {
        Skip.If(ServerBackend.Missing);

        await server.WaitUntilHealthyAsync();
        var expected = Path.Combine("prometheus-targets", "expected.yaml");
        var overview = Path.Combine("docs", "runbooks", "README.md");
        foreach (var file in new[] { expected, overview, Path.Combine("grafana", "access", "access.conf") })
        {
            await File.AppendAllTextAsync(Path.Combine(server.Application, file), "# mine\n");
        }

        var kept = new[] { ".env", "secrets/grafana_admin_password", "secrets/valkey_password", ProductionFiles.Own, expected, "grafana/access/access.conf" };
        var before = kept.Select(Read).ToList();
        var leftOut = LeftOut();
        var image = await server.GatewayImageAsync();
        var bundle = await server.WriteBundleAsync(hours: 1, "newer", folder =>
        {
            File.AppendAllText(Path.Combine(folder, overview), "newer\n");
            File.Move(Path.Combine(folder, "docs", "runbooks", "Watchdog.md"), Path.Combine(folder, "docs", "runbooks", "Renamed.md"));
        });

        var upgrade = await server.TryAsync("sh", "upgrade.sh", bundle);

        Assert.True(upgrade.Succeeded, upgrade.Output);
        Assert.Contains($"The bundle has its own version of files that you changed: {overview}.", upgrade.Output, StringComparison.Ordinal);
        Assert.Contains("The application is of 2026-01-01T01:00:00Z now.", upgrade.Output, StringComparison.Ordinal);
        Assert.Equal(before, kept.Select(Read));
        Assert.Equal(leftOut, LeftOut());
        Assert.EndsWith("newer\n", await File.ReadAllTextAsync(Path.Combine(server.Application, overview)), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(server.Application, "docs", "runbooks", "Renamed.md")));
        Assert.False(File.Exists(Path.Combine(server.Application, "docs", "runbooks", "Watchdog.md")));
        Assert.NotEqual(image, await server.GatewayImageAsync());
        await server.WaitUntilHealthyAsync();
        // The key from before.
        await server.Client.GetStringAsync(new Uri("api/tags", UriKind.Relative));

        string Read(string file) => File.ReadAllText(Path.Combine(server.Application, file));

        // The first line has the names.
        string? LeftOut() => ProductionFiles.Names(ProductionFiles.Components).Contains(LeftOutFile) ? Read(LeftOutFile).Split('\n')[0] : null;
    }

    [Fact]
    public async Task Upgrade_that_does_not_become_healthy_restores_the_former_application()
    {
        Skip.If(ServerBackend.Missing);

        await server.WaitUntilHealthyAsync();
        var version = await File.ReadAllTextAsync(Path.Combine(server.Application, BundleArchive.VersionFile));
        var compose = await File.ReadAllTextAsync(Path.Combine(server.Application, "docker-compose.yaml"));
        var image = await server.GatewayImageAsync();
        var bundle = await server.WriteBundleAsync(hours: 2, "unhealthy", folder =>
        {
            var file = Path.Combine(folder, "docker-compose.yaml");
            File.WriteAllText(file, File.ReadAllText(file).Replace(":8081/health", ":8081/nowhere", StringComparison.Ordinal));
        });

        var upgrade = await server.TryAsync("sh", "upgrade.sh", bundle);

        Assert.Equal(1, upgrade.ExitCode);
        Assert.Contains("The former application runs again.", upgrade.Output, StringComparison.Ordinal);
        Assert.Equal(version, await File.ReadAllTextAsync(Path.Combine(server.Application, BundleArchive.VersionFile)));
        Assert.Equal(compose, await File.ReadAllTextAsync(Path.Combine(server.Application, "docker-compose.yaml")));
        Assert.Equal(image, await server.GatewayImageAsync());
        await server.WaitUntilHealthyAsync();
        await server.Client.GetStringAsync(new Uri("api/tags", UriKind.Relative));
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
            await Wait.UntilAsync("the model", TimeSpan.FromMinutes(1), async () => Assert.Contains(OllamaClient.TinyModelName, await ollama.ListModelsAsync()));
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
