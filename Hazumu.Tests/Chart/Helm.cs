using Hazumu.Testing;

namespace Hazumu.Tests.Chart;

/// <summary>Helm: the one that <c>HAZUMU_HELM</c> names (./hazumu test finds or fetches it), else the one on PATH.</summary>
internal static class Helm
{
    private static readonly string? s_program = Environment.GetEnvironmentVariable("HAZUMU_HELM") is { Length: > 0 } named
        ? named
        : (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(folder => new[] { Path.Combine(folder, "helm"), Path.Combine(folder, "helm.exe") })
            .FirstOrDefault(File.Exists);

    /// <summary>Why it cannot be run on this machine, or <see langword="null"/> where it can.</summary>
    public static string? Missing => s_program is null ? "there is no 'helm' on PATH, and HAZUMU_HELM names none" : null;

    /// <summary>Runs it.</summary>
    public static Task<CliResult> RunAsync(params string[] arguments) => ProcessRunner.RunAsync(s_program!, arguments);
}
