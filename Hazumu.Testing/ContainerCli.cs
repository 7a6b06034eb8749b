using System.ComponentModel;

namespace Hazumu.Testing;

/// <summary>The container engine that the tests use: Docker, or Podman if Aspire is configured to use it.</summary>
public static class ContainerCli
{
    private static readonly Lazy<string?> s_missing = new(FindOutWhyMissing);

    /// <summary>The command: <c>docker</c> unless <c>ASPIRE_CONTAINER_RUNTIME</c> names another.</summary>
    public static string Program { get; } = Environment.GetEnvironmentVariable("ASPIRE_CONTAINER_RUNTIME") is { Length: > 0 } runtime
        ? runtime
        : "docker";

    /// <summary>Why no engine can be used, or <see langword="null"/> where one answers.</summary>
    public static string? Missing => s_missing.Value;

    /// <summary>Whether containers see this machine's own kernel and files, and not a virtual machine's or another one's.</summary>
    public static bool SharesThisMachine { get; } =
        OperatingSystem.IsLinux()
        && Environment.GetEnvironmentVariable("DOCKER_HOST") is null or { Length: 0 } or ['u', 'n', 'i', 'x', ':', ..]
        && !RunAsync("info").GetAwaiter().GetResult().Output.Contains("Docker Desktop", StringComparison.Ordinal);

    /// <summary>Runs an engine command to its end.</summary>
    /// <param name="arguments">Arguments after the program's name.</param>
    /// <returns>Exit code and output; a failing command does not throw.</returns>
    public static Task<CliResult> RunAsync(params string[] arguments) => ProcessRunner.RunAsync(Program, arguments);

    /// <summary>Runs an engine command and returns what it printed.</summary>
    /// <param name="arguments">Arguments after the program's name.</param>
    /// <exception cref="InvalidOperationException">The command failed; the message carries its output.</exception>
    public static Task<string> RunOrThrowAsync(params string[] arguments) => ProcessRunner.RunOrThrowAsync(Program, arguments);

    private static string? FindOutWhyMissing()
    {
        try
        {
            var info = RunAsync("info", "--format", "{{.ServerVersion}}").GetAwaiter().GetResult();
            return info.Succeeded ? null : $"no container engine answers '{Program} info'";
        }
        catch (Win32Exception)
        {
            return $"no '{Program}' command on PATH";
        }
    }
}
