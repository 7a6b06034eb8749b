using System.ComponentModel;
using System.Text.Json;
using CliWrap;
using CliWrap.Buffered;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Containers;

/// <summary>
/// The container engine's command line: Docker, or Podman if a variable names it or if only Podman is installed.
/// </summary>
/// <param name="configuration">The application's configuration.</param>
internal sealed class ContainerEngine(IConfiguration configuration)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>The command's name.</summary>
    public string Program { get; } =
        configuration["ASPIRE_CONTAINER_RUNTIME"]
        ?? configuration["DOTNET_ASPIRE_CONTAINER_RUNTIME"]
        ?? (ExecutablePath.Find("docker") is null && ExecutablePath.Find("podman") is not null ? "podman" : "docker");

    /// <summary>
    /// Whether the engine runs on this machine, so that this machine's devices and paths are the engine's.
    /// </summary>
    public bool IsLocal { get; } =
        configuration["DOCKER_HOST"] is not { Length: > 0 } host || host.StartsWith("unix:", StringComparison.Ordinal) || host.StartsWith("npipe:", StringComparison.Ordinal);

    /// <summary>Runs a command of the engine, for at most 30 seconds.</summary>
    /// <param name="arguments">The arguments after the program's name.</param>
    /// <param name="cancellationToken">Ends the command early.</param>
    /// <param name="input">The command's standard input.</param>
    /// <returns>The result; an exit code other than 0 does not throw.</returns>
    /// <exception cref="StartupProblemException">The engine did not answer in time.</exception>
    /// <exception cref="Win32Exception">There is no such program.</exception>
    public async Task<BufferedCommandResult> RunAsync(IEnumerable<string> arguments, CancellationToken cancellationToken, string input = "")
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            return await Cli.Wrap(Program)
                .WithArguments(arguments)
                .WithStandardInputPipe(PipeSource.FromString(input))
                .WithValidation(CommandResultValidation.None)
                .ExecuteBufferedAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new StartupProblemException($"The container engine does not answer '{Program} {arguments.First()}' within {s_limit.TotalSeconds} s; restart it and try again.");
        }
    }

    /// <summary>The engine's own description: the JSON document of <c>info</c>.</summary>
    /// <exception cref="StartupProblemException">There is no engine, or it does not answer.</exception>
    public async Task<JsonElement> GetInfoAsync(CancellationToken cancellationToken)
    {
        try
        {
            var info = await RunAsync(["info", "--format", "{{json .}}"], cancellationToken);
            if (!info.IsSuccess)
            {
                throw new StartupProblemException(Explain(info.StandardError.Trim() is { Length: > 0 } error ? error : $"exit code {info.ExitCode}"));
            }

            // Docker's client may exit with 0 and list ServerErrors when the daemon does not answer.
            var document = JsonDocument.Parse(info.StandardOutput).RootElement;
            var errors = document.TryGetProperty("ServerErrors", out var list) && list.ValueKind == JsonValueKind.Array
                ? string.Join("; ", list.EnumerateArray().Select(error => error.GetString()))
                : "";

            return errors.Length == 0 ? document : throw new StartupProblemException(Explain(errors));
        }
        catch (Win32Exception)
        {
            throw new StartupProblemException($"No container engine: there is no '{Program}' command on PATH; install Docker (https://docs.docker.com/engine/install/) or Podman.");
        }
    }

    private string Explain(string errors) => errors.Contains("permission denied", StringComparison.OrdinalIgnoreCase)
        ? $"This user may not use the container engine ({errors}); add the user to the group 'docker', log in again, and try again."
        : $"The container engine does not answer '{Program} info' ({errors}); start Docker (or Podman) and try again.";
}
