using Hazumu.AppHost;
using Hazumu.Settings;

StartupProblemException.ExitWithoutStackTrace();
var builder = DistributedApplication.CreateBuilder(args);
// The diagram: AppHost.cs.
var hazumu = builder.AddHazumu<Projects.Hazumu_Gateway>(args);
hazumu.Prometheus.WithDoctor(hazumu.Alertmanager, hazumu.Grafana, hazumu.Gateway);

await using var app = builder.Build();
if (!await GraphPrinter.PrintIfRequestedAsync(app, hazumu.Settings))
{
    await app.RunAsync();
}
