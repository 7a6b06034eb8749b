using Hazumu.Hosting.Settings;

namespace Hazumu.Tests;

/// <summary>Command-line options that set every setting back to its default, whatever this session's environment and user secrets say.</summary>
internal static class DefaultOptions
{
    /// <summary>Those of an AppHost in another repository.</summary>
    public static IReadOnlyList<string> Elsewhere { get; } =
        // Not those of sections with names of one's own: there is none by default.
        [.. SettingsReader.List(HazumuOptions.SectionName, new HazumuOptions()).Where(setting => !setting.Key.Contains(":NAME:", StringComparison.Ordinal)).Select(setting => $"--{setting.Key}={setting.Default}")];

    public static IReadOnlyList<string> All { get; } =
    [
        .. Elsewhere,
        // This repository's own.
        "--Hazumu:ConfigurationFolder=..",
        // Each application would watch its files for as long as the process lives, and a machine has 128 such watches for a user, cAdvisor's among them.
        "--hostBuilder:reloadConfigOnChange=false",
        "--Parameters:grafana-admin-user=admin",
        "--Parameters:grafana-admin-password=admin",
    ];
}
