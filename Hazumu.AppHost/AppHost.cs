namespace Hazumu.Hosting;

/// <summary>
/// The diagram of the graph: one statement for each resource, with references to others. It is compiled into
/// Hazumu.Hosting, whose AddHazumu adds it.
/// </summary>
internal static class AppHost
{
    /// <summary>Adds every resource.</summary>
    /// <typeparam name="TGateway">The gateway, a container or a project.</typeparam>
    /// <param name="builder">The application's builder.</param>
    /// <param name="hazumu">The settings.</param>
    /// <param name="addGateway">Adds the gateway with this name.</param>
    public static HazumuGraph AddGraph<TGateway>(this IDistributedApplicationBuilder builder, HazumuOptions hazumu, Func<string, IResourceBuilder<TGateway>> addGateway)
        where TGateway : class, IComputeResource, IResourceWithEnvironment, IResourceWithEndpoints
    {
        var ollama = builder.AddOllamaInstances("ollama", hazumu.Ollama, instance => instance
            .WithGpu(hazumu.Gpu)
            .WithParallel(hazumu.Ollama)
            .WithVariables(hazumu.Ollama)
            .WithOperations()
            .WithSettings(hazumu.Ollama)
            .WithModels(hazumu.Models));

        var llama = builder.AddLlamaServerInstances("llamaserver", hazumu.LlamaServer, hazumu.Models, instance => instance
            .WithSlots(hazumu.LlamaServer)
            .WithSettings(hazumu.LlamaServer));

        var vllm = builder.AddVllm("vllm", hazumu.Vllm.Port)
            .WithDataVolume(hazumu.Vllm.Volume)
            .WithModel(hazumu.Vllm)
            .WithGpus(hazumu.Vllm)
            .WithSettings(hazumu.Vllm);

        IReadOnlyList<IResourceBuilder<IResourceWithEndpoints>> engines = [.. ollama, .. llama, vllm];

        var valkey = builder.AddValkey("valkey", hazumu.Valkey.Port)
            .WithSettings(hazumu.Valkey);

        var gateway = addGateway("gateway")
            .WithInstances(ollama, hazumu.Ollama)
            .WithInstances(llama)
            .WithInstances([vllm])
            .WithEngines(hazumu.Engines)
            .WithKeys(hazumu.Gateway)
            .WithBrowsers(hazumu.Gateway, hazumu.Edge)
            .WithConsole(hazumu.Gateway, hazumu.Production)
            .WithLimits(hazumu.Gateway)
            .WithCluster(valkey)
            .WithSettings(hazumu.Gateway);

        builder.AddOpenWebUI("openwebui", hazumu.OpenWebUI.Port)
            .WithDataVolume(hazumu.OpenWebUI.Volume)
            .WithSettings(hazumu.OpenWebUI)
            .WithGateway(gateway, gateway.AddClientKey);

        var cadvisor = builder.AddCAdvisor("cadvisor", hazumu.CAdvisor.Port)
            .WithPrivileges(hazumu.CAdvisor.Privileged)
            .WithSettings(hazumu.CAdvisor);

        var blackbox = builder.AddBlackboxExporter("blackbox", hazumu.Blackbox.Port)
            .WithConfiguration()
            .WithReferenceRelationship(engines)
            .WithSettings(hazumu.Blackbox);

        var node = builder.AddNodeExporter("nodeexporter", hazumu.NodeExporter.Port)
            .WithSettings(hazumu.NodeExporter);

        var gpu = builder.AddGpuExporter("gpuexporter", hazumu.GpuExporter, hazumu.Gpu)
            .WithSettings(hazumu.GpuExporter);

        var loki = builder.AddLoki("loki", hazumu.Loki.Port)
            .WithConfiguration()
            .WithDataVolume(hazumu.Loki.Volume)
            .WithRetention(hazumu.Loki)
            .WithSettings(hazumu.Loki);

        var alloy = builder.AddAlloy("alloy", hazumu.Alloy.Port)
            .WithConfiguration()
            .WithDataVolume(hazumu.Alloy.Volume)
            .WithLogsOf(hazumu.Network)
            .WithLogsOf(gateway)
            .WithLoki(loki)
            .WithSettings(hazumu.Alloy);

        var alertmanager = builder.AddAlertmanager("alertmanager", hazumu.Alertmanager.Port)
            .WithConfiguration()
            .WithDataVolume(hazumu.Alertmanager.Volume)
            .WithReceivers(hazumu.Alertmanager)
            .WithSettings(hazumu.Alertmanager);

        var prometheus = builder.AddPrometheus("prometheus", hazumu.Prometheus.Port)
            .WithConfiguration()
            .WithRunbooks(hazumu.Prometheus)
            .WithDashboards(hazumu.Grafana)
            .WithDataVolume(hazumu.Prometheus.Volume)
            .WithRetention(hazumu.Prometheus)
            .WithScrapeTarget(gateway, endpointName: GatewayBuilderExtensions.ManagementEndpointName)
            .WithScrapeTarget(cadvisor, job: "cadvisor")
            .WithScrapeTarget(cadvisor, job: "engines")
            .WithScrapeTarget(blackbox, job: "blackbox")
            .WithScrapeTarget(engines, job: "engine-health", prober: blackbox)
            .WithHostProbe(hazumu.Ollama, job: "engine-health", prober: blackbox)
            .WithScrapeTarget(llama)
            .WithScrapeTarget(vllm)
            .WithScrapeTarget(node)
            .WithScrapeTarget(gpu)
            .WithScrapeTarget(loki)
            .WithScrapeTarget(alloy)
            .WithAlertmanager(alertmanager)
            .WithSettings(hazumu.Prometheus);

        var grafana = builder.AddGrafana("grafana", hazumu.Grafana.Port)
            .WithConfiguration()
            .WithDataVolume(hazumu.Grafana.Volume)
            .WithPrometheus(prometheus)
            .WithAlertmanager(alertmanager)
            .WithLoki(loki)
            .WithProduction(hazumu.Grafana)
            .WithSettings(hazumu.Grafana);

        builder.AddCaddy("edge", hazumu.Edge)
            .WithConfiguration()
            .WithDataVolume(hazumu.Edge.Volume)
            .WithGateway(gateway)
            .WithDashboards(grafana)
            .WithDataSources(grafana)
            .WithSettings(hazumu.Edge);

        return new() { Settings = hazumu, Ollama = ollama, LlamaServer = llama, Vllm = vllm, Gateway = gateway, Prometheus = prometheus, Alertmanager = alertmanager, Grafana = grafana };
    }
}
