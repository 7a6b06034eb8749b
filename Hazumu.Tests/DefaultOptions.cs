using Hazumu.AppHost;
using Hazumu.AppHost.Configuration;

namespace Hazumu.Tests;

/// <summary>Command-line options that set every setting back to its default, whatever this session's environment and user secrets say.</summary>
internal static class DefaultOptions
{
    public static IReadOnlyList<string> All { get; } =
    [
        .. SettingsReader.List(HazumuOptions.SectionName, new HazumuOptions()).Select(setting => $"--{setting.Key}={setting.Default}"),
        "--Parameters:grafana-admin-user=admin",
        "--Parameters:grafana-admin-password=admin",
    ];
}
