var builder = DistributedApplication.CreateBuilder(args);
var hazumu = builder.AddHazumu(args);

var grafanaUser = builder.AddParameter("grafana-admin-user");
var grafanaPassword = builder.AddParameter("grafana-admin-password", secret: true);

var ollama = builder.AddOllama("ollama", hazumu.Ollama.Port)
    .WithDataVolume(hazumu.Ollama.Volume)
    .WithGpu(hazumu.Gpu)
    .WithOperations()
    .WithSettings(hazumu.Ollama)
    .WithModels(hazumu.Models);

var cadvisor = builder.AddCAdvisor("cadvisor", hazumu.CAdvisor.Port)
    .WithPrivileges(hazumu.CAdvisor.Privileged)
    .WithSettings(hazumu.CAdvisor);

var blackbox = builder.AddBlackboxExporter("blackbox", hazumu.Blackbox.Port)
    .WithConfiguration("../blackbox")
    .WithReferenceRelationship(ollama)
    .WithSettings(hazumu.Blackbox);

var prometheus = builder.AddPrometheus("prometheus", hazumu.Prometheus.Port)
    .WithConfiguration("../prometheus")
    .WithDataVolume(hazumu.Prometheus.Volume)
    .WithRetention(hazumu.Prometheus.Retention)
    .WithScrapeTarget(cadvisor, job: "cadvisor")
    .WithScrapeTarget(cadvisor, job: "ollama")
    .WithScrapeTarget(blackbox, job: "blackbox")
    .WithScrapeTarget(ollama, job: "ollama-health", prober: blackbox)
    .WithSettings(hazumu.Prometheus);

builder.AddGrafana("grafana", hazumu.Grafana.Port, grafanaUser, grafanaPassword)
    .WithConfiguration("../grafana")
    .WithDataVolume(hazumu.Grafana.Volume)
    .WithDataSource(prometheus)
    .WithSettings(hazumu.Grafana);

builder.Build().Run();
