using Hazumu.AppHost;

var builder = DistributedApplication.CreateBuilder(args);
var hazumu = builder.AddHazumuSettings(args);

var grafanaUser = builder.AddParameter("grafana-admin-user");
var grafanaPassword = builder.AddParameter("grafana-admin-password", secret: true);

var ollama = builder.AddOllamaInstances("ollama", hazumu.Ollama, instance => instance
    .WithGpu(hazumu.Gpu)
    .WithParallel(hazumu.Ollama)
    .WithOperations()
    .WithSettings(hazumu.Ollama)
    .WithModels(hazumu.Models));

var valkey = builder.AddValkey("valkey", hazumu.Valkey.Port)
    .WithSettings(hazumu.Valkey);

var gateway = builder.AddProject<Projects.Hazumu_Gateway>("gateway", launchProfileName: null)
    .WithOperations(hazumu.Gateway)
    .WithInstances(ollama, hazumu.Ollama)
    .WithKeys(hazumu.Gateway)
    .WithBrowsers(hazumu.Gateway, hazumu.Edge)
    .WithLimits(hazumu.Gateway)
    .WithCluster(valkey)
    .WithContainerAccess()
    .WithSettings(hazumu.Gateway);

builder.AddOpenWebUI("openwebui", hazumu.OpenWebUI.Port)
    .WithDataVolume(hazumu.OpenWebUI.Volume)
    .WithSettings(hazumu.OpenWebUI)
    .WithGateway(gateway, gateway.AddClientKey);

var cadvisor = builder.AddCAdvisor("cadvisor", hazumu.CAdvisor.Port)
    .WithPrivileges(hazumu.CAdvisor.Privileged)
    .WithSettings(hazumu.CAdvisor);

var blackbox = builder.AddBlackboxExporter("blackbox", hazumu.Blackbox.Port)
    .WithConfiguration("../blackbox")
    .WithReferenceRelationship(ollama)
    .WithSettings(hazumu.Blackbox);

var node = builder.AddNodeExporter("nodeexporter", hazumu.NodeExporter.Port)
    .WithSettings(hazumu.NodeExporter);

var gpu = builder.AddGpuExporter("gpuexporter", hazumu.GpuExporter, hazumu.Gpu)
    .WithSettings(hazumu.GpuExporter);

var loki = builder.AddLoki("loki", hazumu.Loki.Port)
    .WithConfiguration("../loki")
    .WithDataVolume(hazumu.Loki.Volume)
    .WithRetention(hazumu.Loki)
    .WithSettings(hazumu.Loki);

var alloy = builder.AddAlloy("alloy", hazumu.Alloy.Port)
    .WithConfiguration("../alloy")
    .WithDataVolume(hazumu.Alloy.Volume)
    .WithLogsOf(hazumu.Network)
    .WithLogsOf(gateway)
    .WithLoki(loki)
    .WithSettings(hazumu.Alloy);

var alertmanager = builder.AddAlertmanager("alertmanager", hazumu.Alertmanager.Port)
    .WithConfiguration("../alertmanager")
    .WithDataVolume(hazumu.Alertmanager.Volume)
    .WithReceivers(hazumu.Alertmanager)
    .WithSettings(hazumu.Alertmanager);

var prometheus = builder.AddPrometheus("prometheus", hazumu.Prometheus.Port)
    .WithConfiguration("../prometheus")
    .WithRunbooks("../docs/runbooks", hazumu.Prometheus)
    .WithDashboards(hazumu.Grafana)
    .WithDataVolume(hazumu.Prometheus.Volume)
    .WithRetention(hazumu.Prometheus)
    .WithScrapeTarget(gateway, endpointName: GatewayBuilderExtensions.ManagementEndpointName)
    .WithScrapeTarget(cadvisor, job: "cadvisor")
    .WithScrapeTarget(cadvisor, job: "ollama")
    .WithScrapeTarget(blackbox, job: "blackbox")
    .WithScrapeTarget(ollama, job: "ollama-health", prober: blackbox)
    .WithScrapeTarget(node)
    .WithScrapeTarget(gpu)
    .WithScrapeTarget(loki)
    .WithScrapeTarget(alloy)
    .WithAlertmanager(alertmanager)
    .WithSettings(hazumu.Prometheus);

var grafana = builder.AddGrafana("grafana", hazumu.Grafana.Port, grafanaUser, grafanaPassword)
    .WithConfiguration("../grafana")
    .WithDataVolume(hazumu.Grafana.Volume)
    .WithPrometheus(prometheus)
    .WithAlertmanager(alertmanager)
    .WithLoki(loki)
    .WithProduction(hazumu.Grafana)
    .WithSettings(hazumu.Grafana);

prometheus.WithDoctor(alertmanager, grafana, gateway);

builder.AddCaddy("edge", hazumu.Edge)
    .WithConfiguration("../caddy")
    .WithDataVolume(hazumu.Edge.Volume)
    .WithGateway(gateway)
    .WithDashboards(grafana)
    .WithDataSources(grafana)
    .WithSettings(hazumu.Edge);

await using var app = builder.Build();
if (!await GraphPrinter.PrintIfRequestedAsync(app, hazumu))
{
    await app.RunAsync();
}
