using System.CommandLine;
using System.Diagnostics;

namespace Hazumu.Cli;

/// <summary>
/// The commands <c>keys</c> and <c>usage</c>: run the gateway's own, for the keys and the usage of the gateway that the AppHost runs.
/// </summary>
/// <remarks>The gateway's program is started, so that this tool does not carry the gateway with it.</remarks>
internal static class GatewayCommands
{
    private const string KeysFile = "Hazumu__Gateway__KeysFile";

    /// <summary>Creates the commands.</summary>
    /// <param name="arguments">The command line as it is: the gateway gets all of it but settings of Hazumu.</param>
    public static IEnumerable<Command> Create(IReadOnlyList<string> arguments) =>
    [
        Create("keys", "Creates, lists and revokes the gateway's keys; keys create --help lists a command's options.", arguments),
        Create("usage", "Shows who used how much of the gateway; usage --help lists its options.", arguments),
    ];

    /// <summary>Finds the file that the AppHost's gateway reads, by the setting in any case.</summary>
    /// <param name="settings">The settings of the command line.</param>
    /// <param name="environment">The settings among the environment variables.</param>
    public static string? FindKeysFile(SettingArguments settings, IReadOnlyDictionary<string, string> environment) =>
        settings.Variables.GetValueOrDefault(KeysFile) ?? environment.FirstOrDefault(variable => variable.Key.Equals(KeysFile, StringComparison.OrdinalIgnoreCase)).Value;

    private static Command Create(string name, string description, IReadOnlyList<string> arguments)
    {
        var command = new Command(name, description);
        command.SetAction(async (_, cancellationToken) =>
        {
            var (checkout, gateway) = (Checkout.Find(), "Hazumu.Gateway");
            var (settings, others) = SettingArguments.Split(arguments);
            var start = new ProcessStartInfo("dotnet", ["run", "--project", Path.Combine(checkout.Root, gateway), "--", .. others]);
            var folder = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "hazumu");
            if (FindKeysFile(settings, SettingArguments.OfEnvironment()) is { Length: > 0 } file)
            {
                // The AppHost resolves a relative path from its own folder.
                var path = Path.GetFullPath(file, Path.Combine(checkout.Root, "Hazumu.AppHost"));
                start.Environment["Gateway__Keys__File"] = path;
                folder = Path.GetDirectoryName(path)!;
            }

            // As the AppHost has it (WithKeys), unless it is in PostgreSQL.
            if (!start.Environment.ContainsKey("Gateway__Usage__Database"))
            {
                start.Environment.TryAdd("Gateway__Usage__File", Path.Combine(folder, "usage.db"));
            }

            return await ForegroundProcess.RunAsync(start, cancellationToken);
        });
        return command;
    }
}
