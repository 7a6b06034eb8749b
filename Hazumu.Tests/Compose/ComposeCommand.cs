using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>How this machine runs Compose v2.</summary>
internal static class ComposeCommand
{
    private static readonly Lazy<string[]?> s_command = new(Look);

    /// <summary>Why there is no Compose, or <see langword="null"/> where there is.</summary>
    public static string? Missing => ContainerCli.Missing ?? (s_command.Value is null ? "no Docker Compose v2 on this machine" : null);

    /// <summary>The program and its first arguments: <c>HAZUMU_COMPOSE</c> where <c>./hazumu</c> has set it, else the engine's plugin.</summary>
    public static string[] Find() => s_command.Value ?? throw new InvalidOperationException(Missing);

    /// <summary>
    /// What has the literal <c>docker compose</c> of scripts and READMEs work where Compose is a program of its own: variables for whoever
    /// runs them.
    /// </summary>
    /// <param name="folder">Where a configuration of Docker's may be written that has Compose as its plugin.</param>
    public static IReadOnlyDictionary<string, string?> AsPlugin(string folder)
    {
        var command = Find();
        if (command is [_, "compose"])
        {
            return new Dictionary<string, string?>();
        }

        var program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(path => Path.Combine(path, command[0]))
            .First(File.Exists);
        var plugin = Path.Combine(folder, "docker-configuration", "cli-plugins", "docker-compose");
        if (!File.Exists(plugin))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(plugin)!);
            File.CreateSymbolicLink(plugin, program);
        }

        return new Dictionary<string, string?> { ["DOCKER_CONFIG"] = Path.Combine(folder, "docker-configuration") };
    }

    private static string[]? Look()
    {
        var candidates = new List<string[]> { new[] { ContainerCli.Program, "compose" } };
        if (Environment.GetEnvironmentVariable("HAZUMU_COMPOSE") is { Length: > 0 } given)
        {
            candidates.Insert(0, given is "docker compose" or "podman compose" ? given.Split(' ') : [given]);
        }

        return candidates.Find(command => ProcessRunner.RunAsync(command[0], [.. command.Skip(1), "version", "--short"]).GetAwaiter().GetResult() is { Succeeded: true, Output: var version }
            && version.TrimStart('v')[..1] is not "0" and not "1");
    }
}
