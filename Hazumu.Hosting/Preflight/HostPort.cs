using System.Net;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Preflight;

/// <summary>A port of this machine that the start will bind.</summary>
/// <param name="Address">The address it binds to.</param>
/// <param name="Port">The port.</param>
/// <param name="Owner">The component that needs it, for messages.</param>
/// <param name="Setting">The key that changes it.</param>
internal sealed record HostPort(IPAddress Address, int Port, string Owner, string Setting)
{
    // The dashboard's own three, by the variables that launchSettings.json sets.
    private static readonly (string Owner, string Key)[] s_dashboard =
    [
        ("the Aspire dashboard", "ASPNETCORE_URLS"),
        ("the dashboard's OTLP endpoint", "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"),
        ("the dashboard's resource service", "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"),
    ];

    /// <summary>Every fixed port of the model, and the dashboard's where it has one.</summary>
    public static IEnumerable<HostPort> All(DistributedApplicationModel model, IConfiguration configuration) =>
        [.. Components(model), .. model.Resources.Any(resource => resource.Name == "aspire-dashboard") ? Dashboard(configuration) : []];

    /// <summary>The fixed ports that the dashboard takes where the graph has one.</summary>
    public static IEnumerable<HostPort> Dashboard(IConfiguration configuration) =>
        from entry in IsolatedRun.IsIsolated(configuration) ? [] : s_dashboard
        from url in (configuration[entry.Key] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries)
        where Uri.IsWellFormedUriString(url, UriKind.Absolute)
        let uri = new Uri(url)
        where uri.Port > 0
        select new HostPort(IPAddress.TryParse(uri.Host, out var address) ? address : IPAddress.Loopback, uri.Port, entry.Owner, SettingOf(entry.Key, configuration));

    // 'dotnet run' puts the launch profile's values in the place of the environment's.
    private static string SettingOf(string key, IConfiguration configuration) =>
        configuration["DOTNET_LAUNCH_PROFILE"] is null ? key : $"{key} in Properties/launchSettings.json";

    private static IEnumerable<HostPort> Components(DistributedApplicationModel model) =>
        from resource in model.Resources
        let settings = SettingsAnnotation.Of(resource)
        where settings is not null
        from endpoint in resource.Annotations.OfType<EndpointAnnotation>()
        let port = endpoint.Port
        where port is not null
        select new HostPort(
            IPAddress.TryParse(endpoint.TargetHost, out var address) ? address : IPAddress.Loopback,
            port.Value,
            $"'{resource.Name}'",
            settings.Ports.Where(known => known.Port == port).Select(known => $"{HazumuOptions.SectionName}:{settings.Section}:{known.Setting.Name}").FirstOrDefault()
                ?? $"the port of '{resource.Name}' in AppHost.cs");
}
