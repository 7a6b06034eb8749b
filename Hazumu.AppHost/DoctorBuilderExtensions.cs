using Hazumu.Cli.Doctor;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Settings;
using Hazumu.Settings;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

/// <summary>Provides the dashboard's command that checks whether the monitoring itself works.</summary>
public static class DoctorBuilderExtensions
{
    /// <summary>Adds the command "Check everything", the same as <c>./hazumu doctor</c>.</summary>
    /// <param name="builder">Prometheus, which knows most of what is looked at.</param>
    /// <param name="alertmanager">Receives its alerts, and a test alert.</param>
    /// <param name="grafana">Grafana, whose data sources are checked.</param>
    /// <param name="gateway">The gateway.</param>
    /// <returns>The <see cref="IResourceBuilder{T}"/>.</returns>
    public static IResourceBuilder<PrometheusResource> WithDoctor(this IResourceBuilder<PrometheusResource> builder, IResourceBuilder<AlertmanagerResource> alertmanager, IResourceBuilder<GrafanaResource> grafana, IResourceBuilder<IResourceWithEndpoints> gateway)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(alertmanager);
        ArgumentNullException.ThrowIfNull(grafana);
        ArgumentNullException.ThrowIfNull(gateway);

        var resources = builder.ApplicationBuilder.Resources;
        return builder.WithCommand("check-everything", "Check everything", CheckAsync, new CommandOptions
        {
            Description = "Checks targets, rules, data sources, clocks and disk, and sends a test alert to the receivers of alerts.",
            IconName = "Stethoscope",
        });

        async Task<ExecuteCommandResult> CheckAsync(ExecuteCommandContext context)
        {
            try
            {
                var engine = context.Services.GetRequiredService<ContainerEngine>();
                var results = await CheckRunner.RunAsync(
                    new DoctorOptions
                    {
                        Prometheus = await FindAddressAsync(builder.Resource.PrimaryEndpoint, context.CancellationToken),
                        Alertmanager = await FindAddressAsync(alertmanager.Resource.PrimaryEndpoint, context.CancellationToken),
                        Grafana = await FindAddressAsync(grafana.Resource.PrimaryEndpoint, context.CancellationToken),
                        Gateway = await FindAddressAsync(gateway.GetEndpoint("http"), context.CancellationToken),
                        GrafanaUser = await grafana.Resource.AdminUser.GetValueAsync(context.CancellationToken) ?? "",
                        GrafanaPassword = await grafana.Resource.AdminPassword.GetValueAsync(context.CancellationToken) ?? "",
                        LeftOut = [.. context.Services.GetRequiredService<HazumuOptions>().Components.Select(component => component.Service).Except(resources.Select(resource => resource.Name))],
                        VolumesFolder = DoctorOptions.FindVolumesFolder(await engine.GetInfoAsync(context.CancellationToken)),
                    },
                    context.CancellationToken);

                var report = new CommandResultData { Value = Report.Write(results), Format = CommandResultFormat.Text, DisplayImmediately = true };
                return results.Any(result => result.IsProblem)
                    ? CommandResults.Failure(Report.Summarize(results), report)
                    : CommandResults.Success(Report.Summarize(results), report);
            }
            catch (Exception error) when (error is StartupProblemException or InvalidOperationException)
            {
                return CommandResults.Failure($"Nothing was checked: {error.Message}");
            }
        }

        // A component may have been left out of the graph by its settings.
        async Task<Uri?> FindAddressAsync(EndpointReference endpoint, CancellationToken cancellationToken) =>
            resources.Contains(endpoint.Resource) && await endpoint.GetValueAsync(cancellationToken) is { } url ? new Uri(url) : null;
    }
}
