using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hazumu.Grafana;

/// <summary>The dashboards as files that Grafana reads.</summary>
public static class DashboardFiles
{
    private const string Logs = "logs.json";

    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    private static readonly Dictionary<string, Dashboard> s_dashboards = new()
    {
        ["containers.json"] = ContainersDashboard.Create(),
        ["engines.json"] = EnginesDashboard.Create(),
        ["gateway.json"] = GatewayDashboard.Create(),
        ["host-gpu.json"] = HostGpuDashboard.Create(),
        ["inference.json"] = InferenceDashboard.Create(),
        [Logs] = LogsDashboard.Create(),
        ["monitoring.json"] = MonitoringDashboard.Create(),
        ["overview.json"] = OverviewDashboard.Create(),
    };

    /// <summary>The files' texts by their names.</summary>
    /// <param name="hasLogs">Whether there is a Loki; without one, nothing is about logs.</param>
    public static SortedDictionary<string, string> All(bool hasLogs = true) => new(
        s_dashboards
            .Where(dashboard => hasLogs || dashboard.Key != Logs)
            .ToDictionary(dashboard => dashboard.Key, dashboard => dashboard.Value.ToJson(hasLogs).ToJsonString(s_options) + "\n"),
        StringComparer.Ordinal);

    /// <summary>The files' texts by their names, and those of a folder: dashboards that were exported from Grafana. One of the same name replaces Hazumu's own.</summary>
    /// <param name="folder">The folder; it need not exist.</param>
    /// <param name="hasLogs">Whether there is a Loki.</param>
    public static IReadOnlyDictionary<string, string> With(string folder, bool hasLogs)
    {
        var files = All(hasLogs);
        foreach (var file in Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.json") : [])
        {
            files[Path.GetFileName(file)] = File.ReadAllText(file);
        }

        return files;
    }
}
