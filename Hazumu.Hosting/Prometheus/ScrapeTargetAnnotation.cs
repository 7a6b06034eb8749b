using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Networking;
using Hazumu.Hosting.Publishing;

namespace Hazumu.Hosting.Prometheus;

/// <summary>An endpoint that Prometheus scrapes.</summary>
/// <param name="Job">A job of prometheus.yml that reads its targets from <c>{Job}.json</c>; <see langword="null"/> for
/// the job <c>services</c>, which takes any target.</param>
/// <param name="Endpoint">The endpoint to scrape.</param>
/// <param name="MetricsPath">The path, where it is not the job's.</param>
/// <param name="Prober">The exporter that probes the endpoint, if Prometheus does not scrape it itself.</param>
internal sealed record ScrapeTargetAnnotation(string? Job, EndpointReference Endpoint, string? MetricsPath, IResource? Prober = null) : IResourceAnnotation
{
    /// <summary>The job of targets that name no job of their own.</summary>
    public const string GeneralJob = "services";

    /// <summary>A target that is not part of the graph, and its address for the prober, whose endpoint is then <see cref="Endpoint"/>.</summary>
    public (string Instance, EngineKind Engine, string Address)? Elsewhere { get; init; }

    /// <summary>The file of the Alertmanagers that Prometheus sends alerts to, which is no job.</summary>
    public const string Alertmanagers = "alertmanagers";

    /// <summary>The file of rules that say which jobs must have a target.</summary>
    public const string ExpectedFile = "expected.yaml";

    /// <summary>
    /// Writes Prometheus' file-based discovery, a file for each job
    /// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config), and a job of its own
    /// for each container of which there may be several.
    /// </summary>
    /// <param name="targets">The targets to scrape.</param>
    /// <param name="network">The graph's network: cAdvisor sees every graph on the engine, and this label marks
    /// Prometheus' own.</param>
    /// <param name="context">Whether the graph runs now or is published.</param>
    /// <param name="cancellationToken">Ends the wait for addresses.</param>
    /// <param name="option">The option of a published application that the targets are in.</param>
    public static async Task<IReadOnlyDictionary<string, string>> WriteFilesAsync(IEnumerable<ScrapeTargetAnnotation> targets, string? network, DistributedApplicationExecutionContext context, CancellationToken cancellationToken, string? option = null)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var reached = targets.Where(target => ContainerAccessAnnotation.Of(target.Endpoint.Resource)?.Problem is null).ToLookup(target => context.IsPublishMode && PublishedReplicasAnnotation.Of(target.Endpoint.Resource));
        foreach (var target in reached[true])
        {
            files.Add($"scrape-{target.Endpoint.Resource.Name}.yaml", await target.WriteReplicasAsync(network, context, option, cancellationToken));
        }

        foreach (var job in reached[false].GroupBy(target => target.Job ?? GeneralJob))
        {
            var groups = new JsonArray();
            foreach (var target in job)
            {
                groups.Add(await target.WriteGroupAsync(network, context, option, cancellationToken));
            }

            files.Add($"{job.Key}.json", groups.ToJsonString(new() { WriteIndented = true }) + "\n");
        }

        return files;
    }

    /// <summary>
    /// Writes the rules that say which jobs must have a target: those of the graph's components, also of one that no
    /// container can reach.
    /// A component that is left out is not missed.
    /// </summary>
    /// <param name="targets">The targets to scrape.</param>
    public static string WriteExpected(IEnumerable<ScrapeTargetAnnotation> targets)
    {
        var text = new StringBuilder("""
            # Generated: the jobs of the components that there are. The alert TargetMissing tells of one that has no target.
            groups:
              - name: hazumu-expected
                rules:
            """.ReplaceLineEndings("\n"));
        var jobs = targets.Where(target => target.Job != Alertmanagers).Select(target => target.Job ?? target.Endpoint.Resource.Name).Distinct().Order(StringComparer.Ordinal).ToList();
        foreach (var job in jobs)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n      - {{ record: hazumu:expected_job:info, labels: {{ job: {job} }}, expr: vector(1) }}");
        }

        return text.Append(jobs.Count == 0 ? " []\n" : "\n").ToString();
    }

    // Files do not contain their number, DNS does. Each is named by its address, like several instances of one name in
    // the gateway.
    private async Task<string> WriteReplicasAsync(string? network, DistributedApplicationExecutionContext context, string? option, CancellationToken cancellationToken)
    {
        var address = (await GetAddressAsync(context, option, cancellationToken)).Split(':');
        return $"""
            scrape_configs:
              - job_name: {Endpoint.Resource.Name}
                dns_sd_configs:
                  - names: [{address[0]}]
                    type: A
                    port: {address[1]}
                    refresh_interval: 5s
                relabel_configs:
                  - source_labels: [__address__]
                    regex: (.+):\d+
                    target_label: instance
                    replacement: {Endpoint.Resource.Name}@$1
                  - target_label: network
                    replacement: {network}

            """;
    }

    private async Task<JsonObject> WriteGroupAsync(string? network, DistributedApplicationExecutionContext context, string? option, CancellationToken cancellationToken)
    {
        var labels = new JsonObject { ["instance"] = Elsewhere?.Instance ?? Endpoint.Resource.Name };
        if (network is not null)
        {
            labels["network"] = network;
        }

        if ((Elsewhere is { } elsewhere ? SettingsReader.NameOf(elsewhere.Engine) : EngineAnnotation.KindOf(Endpoint.Resource)) is { } engine)
        {
            labels["engine"] = engine;
        }

        if (Job is null)
        {
            labels["job"] = Endpoint.Resource.Name;
        }

        if (MetricsPath is not null)
        {
            labels["__metrics_path__"] = MetricsPath;
        }

        return new JsonObject
        {
            ["targets"] = new JsonArray(await GetAddressAsync(context, option, cancellationToken)),
            ["labels"] = labels,
        };
    }

    private async Task<string> GetAddressAsync(DistributedApplicationExecutionContext context, string? option, CancellationToken cancellationToken)
    {
        if (Elsewhere is { } elsewhere)
        {
            return elsewhere.Address;
        }

        if (PublishedOptionAnnotation.Of(Endpoint.Resource).FirstOrDefault(form => form.Option == option)?.Port is { } port)
        {
            return $"{Endpoint.Resource.Name}:{port}";
        }

        var ofContainers = new ValueProviderContext { Network = KnownNetworkIdentifiers.DefaultAspireContainerNetwork };
        return await Endpoint.AddressForContainers(context).GetValueAsync(ofContainers, cancellationToken)
            ?? throw new InvalidOperationException($"'{Endpoint.Resource.Name}' has no address that a container could scrape.");
    }
}
