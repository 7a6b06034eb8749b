using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Configuration;

/// <summary>Prometheus' own checker, run from its image.</summary>
internal static class PromTool
{
    private const string WorkFolder = "/work";

    private static readonly string[] s_options = ["nvidia", "amd", "logs"];
    private static readonly string s_targets = RepositoryRoot.Combine("Hazumu.Tests", "Configuration", "Targets");

    /// <summary>Runs promtool where Prometheus would find its configuration and these tests' targets.</summary>
    public static Task<CliResult> RunAsync(params string[] arguments) => RunAsync(s_targets, null, arguments);

    /// <summary>Runs promtool where Prometheus would find its configuration and the published targets.</summary>
    public static Task<CliResult> RunPublishedAsync(params string[] arguments) => RunAsync(Path.Combine(Published.Compose, "prometheus-targets"), null, arguments);

    /// <summary>Runs promtool with one more argument, a file of the given content. JSON is YAML too.</summary>
    public static async Task<CliResult> RunWithFileAsync(object content, params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-promtool-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "input.yml"), JsonSerializer.Serialize(content));
            return await RunAsync(s_targets, folder.FullName, [.. arguments, $"{WorkFolder}/input.yml"]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // As root, because only the owner may enter a temporary folder.
    private static Task<CliResult> RunAsync(string targets, string? folder, string[] arguments) => ContainerEngine.RunAsync(
    [
        "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "promtool",
        "--volume", $"{RepositoryRoot.Combine("prometheus")}:/etc/prometheus:ro",
        "--volume", $"{targets}:/etc/prometheus-targets:ro",
        .. s_options.SelectMany(option => new[] { "--volume", $"{Path.Combine(Published.Compose, $"prometheus-targets-{option}.json")}:/etc/prometheus-targets-{option}.json:ro" }),
        .. folder is null ? Array.Empty<string>() : ["--volume", $"{folder}:{WorkFolder}:ro"],
        Component.Prometheus.Image,
        .. arguments,
    ]);
}
