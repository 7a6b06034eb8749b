using System.Collections;
using System.CommandLine;

namespace Hazumu.Cli;

/// <summary>Settings on a command line: <c>--Hazumu:Grafana:Port=3001</c>, or the same with a space.</summary>
/// <param name="All">Every argument, settings in the form with <c>=</c>.</param>
/// <param name="Variables">The settings as environment variables, whose case .NET ignores:
/// <c>Hazumu__Grafana__Port</c>.</param>
internal sealed record SettingArguments(IReadOnlyList<string> All, IReadOnlyDictionary<string, string> Variables)
{
    private const string Prefix = "--Hazumu:";

    /// <summary>Has a command accept settings.</summary>
    /// <param name="command">The command.</param>
    public static void AddTo(Command command) => command.TreatUnmatchedTokensAsErrors = false;

    /// <summary>Reads the settings of a command that accepts them.</summary>
    /// <param name="result">The parsed command line.</param>
    /// <exception cref="CliException">An argument is none, or has no value.</exception>
    public static SettingArguments Read(ParseResult result) => Read(result.UnmatchedTokens);

    /// <summary>Reads settings.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <exception cref="CliException">An argument is none, or has no value.</exception>
    public static SettingArguments Read(IReadOnlyList<string> arguments)
    {
        var all = new List<string>();
        var variables = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (argument.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && !argument.Contains('=', StringComparison.Ordinal))
            {
                argument = i + 1 < arguments.Count && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal)
                    ? $"{argument}={arguments[++i]}"
                    : throw Misuse($"'{argument}' has no value; write {argument}=value.");
            }

            // The AppHost's other options have a section too; it reports the ones that it does not know.
            if (!argument.StartsWith("--", StringComparison.Ordinal) || argument.Split('=') is not [var name, _, ..] || !name.Contains(':', StringComparison.Ordinal))
            {
                throw Misuse($"'{argument}' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).");
            }

            all.Add(argument);
            if (name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                variables[AppHostProgram.VariablePrefix + name[Prefix.Length..].Replace(":", "__", StringComparison.Ordinal)] = argument[(name.Length + 1)..];
            }
        }

        return new(all, variables);
    }

    /// <summary>Separates the settings from the arguments of another program.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <returns>The settings, and the other arguments.</returns>
    /// <exception cref="CliException">A setting has no value.</exception>
    public static (SettingArguments Settings, IReadOnlyList<string> Others) Split(IReadOnlyList<string> arguments)
    {
        var (settings, others) = (new List<string>(), new List<string>());
        for (var i = 0; i < arguments.Count; i++)
        {
            if (!arguments[i].StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                others.Add(arguments[i]);
                continue;
            }

            settings.Add(arguments[i]);
            if (!arguments[i].Contains('=', StringComparison.Ordinal) && i + 1 < arguments.Count)
            {
                settings.Add(arguments[++i]);
            }
        }

        return (Read(settings), others);
    }

    /// <summary>Finds the settings among the environment variables.</summary>
    public static IReadOnlyDictionary<string, string> OfEnvironment() => Environment.GetEnvironmentVariables()
        .Cast<DictionaryEntry>()
        .Where(variable => ((string)variable.Key).StartsWith(AppHostProgram.VariablePrefix, StringComparison.OrdinalIgnoreCase))
        .ToDictionary(variable => (string)variable.Key, variable => (string?)variable.Value ?? "");

    private static CliException Misuse(string message) => new(message) { ExitCode = 2 };
}
