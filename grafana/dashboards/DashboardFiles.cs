using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hazumu.Grafana;

/// <summary>The dashboards as files that Grafana reads.</summary>
public static class DashboardFiles
{
    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    /// <summary>The files' texts by their names.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } = new SortedDictionary<string, string>(
        new Dictionary<string, Dashboard>
        {
            ["containers.json"] = ContainersDashboard.Create(),
            ["gateway.json"] = GatewayDashboard.Create(),
            ["host-gpu.json"] = HostGpuDashboard.Create(),
            ["inference.json"] = InferenceDashboard.Create(),
            ["logs.json"] = LogsDashboard.Create(),
            ["monitoring.json"] = MonitoringDashboard.Create(),
            ["ollama-monitoring.json"] = OllamaMonitoringDashboard.Create(),
            ["overview.json"] = OverviewDashboard.Create(),
        }.ToDictionary(dashboard => dashboard.Key, dashboard => dashboard.Value.ToJson().ToJsonString(s_options) + "\n"),
        StringComparer.Ordinal);

    /// <summary>The files' texts by their names, and those of a folder: dashboards that were exported from Grafana. One of the same name replaces Hazumu's own.</summary>
    /// <param name="folder">The folder.</param>
    public static IReadOnlyDictionary<string, string> With(string folder)
    {
        var files = new SortedDictionary<string, string>(All.ToDictionary(), StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(folder, "*.json"))
        {
            files[Path.GetFileName(file)] = File.ReadAllText(file);
        }

        return files;
    }
}
