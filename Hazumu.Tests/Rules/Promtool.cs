using Hazumu.Testing;

namespace Hazumu.Tests.Rules;

/// <summary>Prometheus' own checker: from its image, or where that cannot be had from PATH.</summary>
internal static class Promtool
{
    private const string Name = "promtool";

    // Days of samples, on a small machine.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private static readonly string? s_onPath = (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .SelectMany(folder => new[] { Path.Combine(folder, Name), Path.Combine(folder, Name + ".exe") })
        .FirstOrDefault(File.Exists);

    /// <summary>Why it cannot be run on this machine, or <see langword="null"/> where it can.</summary>
    public static string? Missing => s_onPath is not null ? null : Component.Prometheus.Missing is { } reason ? $"{reason}, and no '{Name}' is on PATH" : null;

    /// <summary>Runs it.</summary>
    /// <param name="arguments">Arguments; files as they lie below <c>prometheus</c>.</param>
    public static Task<CliResult> RunAsync(params string[] arguments) => Component.Prometheus.Missing is null
        ? ProcessRunner.RunAsync(
            ContainerEngine.Program,
            ["run", "--rm", "--network", "none", "--entrypoint", Name, "--workdir", "/etc/prometheus", "--volume", $"{RepositoryRoot.Combine("prometheus")}:/etc/prometheus:ro", Component.Prometheus.Image, .. arguments],
            s_limit)
        : ProcessRunner.RunAsync(s_onPath!, arguments, s_limit, workingDirectory: RepositoryRoot.Combine("prometheus"));
}
