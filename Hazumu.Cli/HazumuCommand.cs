using System.CommandLine;
using Hazumu.Cli.Bundle;
using Hazumu.Cli.Doctor;
using Hazumu.Cli.Images;
using Hazumu.Cli.Publishing;
using Hazumu.Cli.Testing;

namespace Hazumu.Cli;

/// <summary>
/// The root command. A further command is a class with a method <c>Create</c>, added in <see cref="Create"/>.
/// </summary>
/// <remarks>Exits with 0; with 1 if the command failed; with 2 if the command line is wrong.</remarks>
internal static class HazumuCommand
{
    private const int Failed = 1;
    private const int WrongUsage = 2;

    /// <summary>Runs a command.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Receives the command's result.</param>
    /// <param name="error">Receives problems and progress.</param>
    /// <param name="variable">Looks up an environment variable.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, Func<string, string?> variable)
    {
        // These hand their arguments, --help included, to another program.
        var parsed = Create(args, variable).Parse(args is ["keys" or "usage" or "test", ..] ? [args[0]] : args);
        if (parsed.Errors.Count > 0)
        {
            await error.WriteLineAsync($"{string.Join(' ', parsed.Errors.Select(problem => problem.Message))} --help lists the commands and options.");
            return WrongUsage;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,

                // Children get their limit first, so that none outlives this process.
                ProcessTerminationTimeout = ForegroundProcess.EndLimit + TimeSpan.FromSeconds(10),
            });
        }
        catch (CliException problem)
        {
            await error.WriteLineAsync(problem.Message);
            return problem.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await error.WriteLineAsync("Canceled.");
            return Failed;
        }
    }

    private static RootCommand Create(IReadOnlyList<string> args, Func<string, string?> variable)
    {
        var root = new RootCommand("Commands for Hazumu, the Aspire host for Ollama with a gateway and monitoring.")
        {
            DoctorCommand.Create(variable),
            ModelsCommand.Create(variable),
            ImagesCommand.Create(),
            TestCommand.Create(args),
            TestCommand.CreateFaults(),
            PublishCommand.Create(),
            DigestsCommand.Create(),
            BundleCommand.Create(),
        };
        foreach (var command in GatewayCommands.Create(args))
        {
            root.Add(command);
        }

        return root;
    }
}
