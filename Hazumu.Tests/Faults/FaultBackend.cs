using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Faults;

/// <summary>
/// The published application with a second Ollama, as <c>Hazumu:Ollama:Instances=2</c> makes one, under a light and steady load, whose
/// Alertmanager tells the test. Its Prometheus remembers six hours of that load without a fault, so that error budgets are weighed as
/// in a graph that has run for a while.
/// </summary>
public sealed class FaultBackend : ComposeBackend
{
    /// <summary>The Ollama instances.</summary>
    public static readonly IReadOnlyList<string> Instances = ["ollama", "ollama-2"];

    /// <summary>The components that it is made of.</summary>
    public static readonly IReadOnlyList<Component> Needed =
        [Component.Ollama, Component.Gateway, Component.Prometheus, Component.CAdvisor, Component.Blackbox, Component.Alertmanager, Component.NodeExporter];

    /// <summary>Why it cannot run on this machine, or <see langword="null"/> where it can.</summary>
    public static string? Missing { get; } = ComposeCommand.Missing ?? Component.WhyMissing(Needed) ?? GatewayImage.Missing;

    private const int HistoryHours = 6;

    private static readonly string[] s_watchdog = ["Watchdog"];

    // What a burn rate of half an hour may need to forget.
    private static readonly TimeSpan s_calmLimit = TimeSpan.FromMinutes(8);

    /// <summary>What people are told.</summary>
    public Webhook Webhook { get; } = new();

    /// <summary>The steady load; there once the graph runs.</summary>
    public SteadyLoad Load { get; private set; } = null!;

    /// <summary>A small disk that the node exporter sees, where this machine lets one be mounted.</summary>
    public SmallDisk Disk { get; } = new();

    /// <inheritdoc/>
    protected override IEnumerable<string> Services => [.. base.Services.Where(service => service != Component.Grafana.Service), Instances[1]];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> Files => [.. base.Files, "docker-compose.faults.yaml"];

    /// <inheritdoc/>
    public override IReadOnlyList<Component> Components => Missing is null ? [.. base.Components.Where(component => component != Component.Grafana)] : [];

    /// <inheritdoc/>
    public override async Task StartAsync()
    {
        Webhook.Start();
        await Disk.MountAsync();
        await base.StartAsync();
        foreach (var instance in Instances)
        {
            using var manager = new HttpClient { DefaultRequestHeaders = { { "Hazumu-Instance", instance } } };
            await new OllamaClient(manager, Url(Component.Gateway)).CreateTinyModelAsync();
        }

        Load = new(Url(Component.Gateway));
        Load.Start();
        await Wait.UntilAsync("every target to be up", TimeSpan.FromSeconds(90), async () =>
            Assert.All(await Prometheus.GetTargetsAsync(), target => Assert.True(target.Health == "up", $"{target.Job}/{target.Instance} is {target.Health}: {target.LastError}")));
        await CalmAsync(TimeSpan.Zero);
    }

    /// <inheritdoc/>
    public override async Task StopAsync()
    {
        if (Load is not null)
        {
            await Load.DisposeAsync();
        }

        try
        {
            await base.StopAsync();
        }
        finally
        {
            Webhook.Dispose();
            await Disk.UnmountAsync();
        }
    }

    /// <summary>Runs an engine command on the containers of services.</summary>
    /// <param name="command">The command and its options.</param>
    /// <param name="services">Services, such as <c>ollama-2</c>.</param>
    public async Task ContainerAsync(string[] command, params string[] services)
    {
        var containers = await Task.WhenAll(services.Select(FindContainerAsync));
        await ContainerCli.RunOrThrowAsync([.. command, .. containers]);
    }

    /// <summary>The container of a service.</summary>
    /// <param name="service">The service, such as <c>ollama-2</c>.</param>
    public async Task<string> FindContainerAsync(string service) => Assert.Single(
        (await ContainerCli.RunOrThrowAsync("ps", "--all", "--quiet", "--no-trunc", "--filter", $"label=hazumu.network={Name}", "--filter", $"label=hazumu.instance={service}"))
        .Split('\n', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The alerts that fire now in Prometheus, but for the one that always does: name and severity.</summary>
    public async Task<IReadOnlyList<(string Name, string Severity)>> FiringAsync()
    {
        var answer = await Http.GetFromJsonAsync<JsonElement>(new Uri(Url(Component.Prometheus), "api/v1/alerts"));
        return [.. answer.GetProperty("data").GetProperty("alerts").EnumerateArray()
            .Where(alert => alert.GetProperty("state").GetString() == "firing")
            .Select(alert => alert.GetProperty("labels"))
            .Select(labels => (labels.GetProperty("alertname").GetString()!, labels.GetProperty("severity").GetString()!))
            .Where(alert => alert.Item1 != "Watchdog")
            .Distinct()];
    }

    /// <summary>Waits until nothing fires, Alertmanager has nothing left to tell, and every container is well.</summary>
    /// <param name="longer">How long it waits then.</param>
    public async Task CalmAsync(TimeSpan longer)
    {
        await Wait.UntilAsync("every container to be well", StartLimit, async () =>
        {
            foreach (var container in await FindContainersAsync())
            {
                Assert.Equal("running/healthy", await ContainerCli.RunOrThrowAsync("inspect", "--format", "{{.State.Status}}/{{.State.Health.Status}}", container));
            }
        });
        await Wait.UntilAsync("no alert to fire", s_calmLimit, async () =>
        {
            Assert.Empty(await FiringAsync());
            var known = await Http.GetFromJsonAsync<JsonElement>(new Uri(Url(Component.Alertmanager), "api/v2/alerts"));
            Assert.Equal(s_watchdog, known.EnumerateArray().Select(alert => alert.GetProperty("labels").GetProperty("alertname").GetString()));
        });
        await Task.Delay(longer);
    }

    /// <inheritdoc/>
    protected override Dictionary<string, string?> Environment() => new(base.Environment())
    {
        ["Hazumu__Prometheus__RunbookUrl"] = "http://localhost:9090/user/",
    };

    /// <inheritdoc/>
    protected override async Task PrepareAsync()
    {
        await File.WriteAllTextAsync(In("docker-compose.faults.yaml"), $$"""
            services:
              ollama-2:
                extends: { file: docker-compose.yaml, service: ollama }
                volumes:
                  - { type: volume, source: second, target: /var/lib/ollama/.ollama }
                labels: { hazumu.instance: ollama-2 }
                depends_on: { ollama-2-volume: { condition: service_completed_successfully } }
              ollama-2-volume:
                extends: { file: docker-compose.yaml, service: ollama-volume }
                volumes:
                  - { type: volume, source: second, target: /volume }
              gateway:
                environment: { ConnectionStrings__ollama-2: "Endpoint=http://ollama-2:11434" }
              # Rules with these addresses are read where they are mounted; with others, copies that a reload does not renew.
              prometheus:
                environment: { GRAFANA_URL: "http://localhost:3000" }
              # As it has by its privileges, which this machine may refuse: the kernel's log, for out-of-memory kills.
              cadvisor:
                devices: [/dev/kmsg]
                cap_add: [SYSLOG]
              alertmanager:
                extra_hosts: ["test:host-gateway"]
                volumes:
                  - { type: bind, source: ./webhook-url, target: /run/secrets/alertmanager_webhook_url, read_only: true }
            volumes:
              second: { name: "{{Name}}_second_data" }

            """);
        await File.WriteAllTextAsync(In("webhook-url"), $"http://test:{Webhook.Port}/");
        await File.WriteAllTextAsync(
            In("prometheus-targets", "engine-health.json"),
            JsonSerializer.Serialize(Instances.Select(instance => new { targets = new[] { $"{instance}:11434" }, labels = new { instance, network = Name, engine = "ollama" } })));
        await WriteHistoryAsync();
    }

    private string In(params string[] parts) => Path.Combine([Folder.FullName, .. parts]);

    private async Task WriteHistoryAsync()
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var text = new StringBuilder();
        foreach (var (name, value) in new[] { ("slo:hazumu_requests:rate5m", (double)SteadyLoad.Rate), ("slo:hazumu_bad_requests:rate5m", 0) })
        {
            text.Append(CultureInfo.InvariantCulture, $"# TYPE {name} gauge\n");
            foreach (var slo in new[] { "availability", "time_to_first_token", "time_per_output_token" })
            {
                // Two thirds of the requests are streamed, and only those have times.
                var share = slo == "availability" ? value : value * 2 / 3;
                for (var at = now - (HistoryHours * 3600); at < now; at += 15)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{{slo=\"{slo}\"}} {share:0.###} {at}\n");
                }
            }
        }

        text.Append("# EOF\n");
        await File.WriteAllTextAsync(In("history.txt"), text.ToString());
        await ContainerCli.RunOrThrowAsync(
            "run", "--rm", "--network", "none", "--entrypoint", "promtool", "--volume", $"{Volume(Component.Prometheus)}:/prometheus", "--volume", $"{In("history.txt")}:/history.txt:ro",
            Component.Prometheus.Image, "tsdb", "create-blocks-from", "openmetrics", "/history.txt", "/prometheus");
    }
}
