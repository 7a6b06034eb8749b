using System.Text.Json;

namespace Hazumu.Testing;

/// <summary>Prometheus' own checker: from Prometheus' image, or from PATH if the image cannot be had.</summary>
public static class Promtool
{
    private const string Name = "promtool";
    private const string WorkFolder = "/work";

    // Days of samples, on a small machine.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private static readonly string? s_onPath = (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .SelectMany(folder => new[] { Path.Combine(folder, Name), Path.Combine(folder, Name + ".exe") })
        .FirstOrDefault(File.Exists);

    /// <summary>Why it cannot be run on this machine, or <see langword="null"/> where it can.</summary>
    public static string? Missing => s_onPath is null && Component.Prometheus.Missing is { } reason ? $"{reason}, and no '{Name}' is on PATH" : null;

    private static bool HasImage => Component.Prometheus.Missing is null;

    /// <summary>Runs it in the folder <c>prometheus</c>.</summary>
    /// <param name="arguments">Its arguments.</param>
    public static Task<CliResult> RunAsync(params string[] arguments) => RunWithInputAsync("", arguments);

    /// <summary>Runs it with a text as its standard input.</summary>
    /// <param name="input">The text.</param>
    /// <param name="arguments">Its arguments.</param>
    public static Task<CliResult> RunWithInputAsync(string input, params string[] arguments) => HasImage
        ? RunImageAsync(input, [], arguments)
        : ProcessRunner.RunAsync(s_onPath!, arguments, s_limit, input, workingDirectory: RepositoryRoot.Combine("prometheus"));

    /// <summary>Runs it with one more argument, a file of the given content.</summary>
    /// <param name="content">A text, or an object that is written as JSON, which is YAML too.</param>
    /// <param name="arguments">Its other arguments.</param>
    public static async Task<CliResult> RunWithFileAsync(object content, params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-promtool-");
        try
        {
            var file = Path.Combine(folder.FullName, "input.yml");
            await File.WriteAllTextAsync(file, content as string ?? JsonSerializer.Serialize(content));
            return HasImage
                ? await RunWithVolumesAsync([$"{folder.FullName}:{WorkFolder}:ro"], [.. arguments, $"{WorkFolder}/input.yml"])
                : await RunAsync([.. arguments, file]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Runs it in its image, with further volumes.</summary>
    /// <param name="volumes">Volumes as the engine takes them: <c>/source:/target:ro</c>.</param>
    /// <param name="arguments">Its arguments.</param>
    public static Task<CliResult> RunWithVolumesAsync(IEnumerable<string> volumes, params string[] arguments) => RunImageAsync("", volumes, arguments);

    // As root, because only the owner may enter a temporary folder.
    private static Task<CliResult> RunImageAsync(string input, IEnumerable<string> volumes, string[] arguments) => ProcessRunner.RunAsync(
        ContainerCli.Program,
        [
            "run", "--rm", "--interactive", "--network", "none", "--user", "0", "--entrypoint", Name, "--workdir", "/etc/prometheus",
            .. volumes.Prepend($"{RepositoryRoot.Combine("prometheus")}:/etc/prometheus:ro").SelectMany(volume => new[] { "--volume", volume }),
            Component.Prometheus.Image,
            .. arguments,
        ],
        s_limit,
        input);
}
