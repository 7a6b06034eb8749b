using System.CommandLine;
using System.Diagnostics;

namespace Hazumu.Cli;

/// <summary>
/// The command <c>keys</c>: runs the gateway's own command, for the keys of the gateway that the AppHost runs.
/// </summary>
/// <remarks>The gateway's program is started, so that this tool does not carry the gateway with it.</remarks>
internal static class GatewayKeysCommand
{
    private const string KeysFile = "Hazumu__Gateway__KeysFile";

    /// <summary>Creates the command.</summary>
    /// <param name="arguments">The command line as it is: the gateway gets all of it but settings of Hazumu.</param>
    public static Command Create(IReadOnlyList<string> arguments)
    {
        var command = new Command("keys", "Creates, lists and revokes the gateway's keys; keys create --help lists a command's options.");
        command.SetAction(async (_, cancellationToken) =>
        {
            var (checkout, gateway) = (Checkout.Find(), "Hazumu.Gateway");
            var (settings, others) = SettingArguments.Split(arguments);
            var start = new ProcessStartInfo("dotnet", ["run", "--project", Path.Combine(checkout.Root, gateway), "--", .. others]);
            if (FindKeysFile(settings, SettingArguments.OfEnvironment()) is { Length: > 0 } file)
            {
                // The AppHost resolves a relative path from its own folder.
                start.Environment["Gateway__Keys__File"] = Path.GetFullPath(file, Path.Combine(checkout.Root, "Hazumu.AppHost"));
            }

            return await ForegroundProcess.RunAsync(start, cancellationToken);
        });
        return command;
    }

    /// <summary>Finds the file that the AppHost's gateway reads, by the setting in any case.</summary>
    /// <param name="settings">The settings of the command line.</param>
    /// <param name="environment">The settings among the environment variables.</param>
    public static string? FindKeysFile(SettingArguments settings, IReadOnlyDictionary<string, string> environment) =>
        settings.Variables.GetValueOrDefault(KeysFile) ?? environment.FirstOrDefault(variable => variable.Key.Equals(KeysFile, StringComparison.OrdinalIgnoreCase)).Value;
}
