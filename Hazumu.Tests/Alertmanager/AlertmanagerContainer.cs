using Hazumu.Testing;

namespace Hazumu.Tests.Alertmanager;

/// <summary>Alertmanager's container with the repository's configuration, on a free port of loopback, gone with its test.</summary>
internal sealed class AlertmanagerContainer : IAsyncDisposable
{
    private const string Script = "/etc/alertmanager/start.sh";

    private readonly string _id;
    private readonly DirectoryInfo _secrets;

    private AlertmanagerContainer(string id, DirectoryInfo secrets, Uri address)
    {
        _id = id;
        _secrets = secrets;
        Address = address;
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>How a container reaches this machine.</summary>
    public static string Host => "host.docker.internal";

    /// <summary>Starts it, as every form of the graph does, and waits until it is ready.</summary>
    /// <param name="webhook">Where the receiver of people is.</param>
    public static async Task<AlertmanagerContainer> StartAsync(Uri webhook)
    {
        var secrets = Directory.CreateTempSubdirectory("hazumu-alertmanager-");
        var file = Path.Combine(secrets.FullName, "alertmanager_webhook_url");
        await File.WriteAllTextAsync(file, webhook.AbsoluteUri);
        var id = await ContainerCli.RunOrThrowAsync(
            "run", "--detach", "--publish", "127.0.0.1::9093", "--add-host", $"{Host}:host-gateway",
            "--volume", $"{RepositoryRoot.Combine("alertmanager")}:/etc/alertmanager:ro",
            "--volume", $"{file}:/run/secrets/alertmanager_webhook_url:ro",
            "--entrypoint", "/bin/sh", Component.Alertmanager.Image,
            Script, "--storage.path=/alertmanager", "--cluster.listen-address=", "--enable-feature=receiver-name-in-metrics");
        var published = (await ContainerCli.RunOrThrowAsync("port", id, "9093/tcp")).Split('\n')[0].Trim();
        var container = new AlertmanagerContainer(id, secrets, new Uri($"http://{published}/"));
        try
        {
            using var http = new HttpClient();
            await Wait.UntilAsync("Alertmanager to be ready", TimeSpan.FromSeconds(30), async () =>
            {
                using var ready = await http.GetAsync(new Uri(container.Address, "-/ready"));
                Assert.True(ready.IsSuccessStatusCode);
            }, container.LogAsync);
            return container;
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }
    }

    /// <summary>What it has said.</summary>
    public async Task<string> LogAsync() => (await ContainerCli.RunAsync("logs", _id)).Output;

    public async ValueTask DisposeAsync()
    {
        await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", _id);
        _secrets.Delete(recursive: true);
    }
}
