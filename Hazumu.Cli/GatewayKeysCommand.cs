using System.CommandLine;
using System.Diagnostics;

namespace Hazumu.Cli;

/// <summary>The command <c>keys</c>: runs the gateway's own command, for the keys of the gateway that the AppHost runs.</summary>
/// <remarks>The gateway's program is started, so that this tool does not carry the gateway with it.</remarks>
internal static class GatewayKeysCommand
{
    private const string KeysFile = "Hazumu__Gateway__KeysFile";

    /// <summary>Creates the command.</summary>
    /// <param name="arguments">The command line as it is: the gateway gets all of it but settings of Hazumu.</param>
    /// <param name="variable">Looks up an environment variable.</param>
    public static Command Create(IReadOnlyList<string> arguments, Func<string, string?> variable)
    {
        var command = new Command("keys", "Creates, lists and revokes the gateway's keys; keys create --help lists a command's options.");
        command.SetAction(async (_, cancellationToken) =>
        {
            var (checkout, gateway) = (Checkout.Find(), "Hazumu.Gateway");
            var settings = SettingArguments.Read([.. arguments.Where(SettingArguments.IsSetting)]).Variables;
            var start = new ProcessStartInfo("dotnet", ["run", "--project", Path.Combine(checkout.Root, gateway), "--", .. arguments.Where(argument => !SettingArguments.IsSetting(argument))]);
            if ((settings.GetValueOrDefault(KeysFile) ?? variable(KeysFile)) is { Length: > 0 } file)
            {
                // The AppHost resolves a relative path from its own folder.
                start.Environment["Gateway__Keys__File"] = Path.GetFullPath(file, Path.Combine(checkout.Root, "Hazumu.AppHost"));
            }

            using var process = Process.Start(start)!;
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode;
        });
        return command;
    }
}
