namespace Hazumu.Hosting.Settings;

/// <summary>
/// Finds options on the command line that no one would read: configuration takes any key without a word.
/// </summary>
internal static class CommandLine
{
    /// <summary>Names the file that the graph is written to as JSON; the process then ends.</summary>
    public const string PrintGraph = "print-graph";

    /// <summary>Whether <see cref="PrintGraph"/> also runs the checks of a start.</summary>
    public const string CheckStart = "check-start";

    // Options of Aspire itself beside keys with a section (microsoft/aspire,
    // DistributedApplicationBuilder.ConfigurePipelineOptions).
    private static readonly HashSet<string> s_aspire = new(StringComparer.OrdinalIgnoreCase)
    {
        "operation", "step", "publisher", "output-path", "log-level", "environment", "include-exception-details",
        "clear-cache", "no-build", "list-steps", "non-interactive", "dcp-cli-path", "dcp-container-runtime", "dcp-dependency-check-timeout",
        "dcp-dashboard-path", "applicationName", "contentRoot",
    };

    // Sections that the host, Aspire and .NET read.
    private static readonly HashSet<string> s_sections = new(StringComparer.OrdinalIgnoreCase)
    {
        HazumuOptions.SectionName, "Parameters", "Logging", "AppHost", "DcpPublisher", "Dashboard", "Pipeline", "Publishing", "ConnectionStrings", "Kestrel", "hostBuilder",
    };

    /// <summary>Checks the arguments' keys; values are checked where they are read.</summary>
    /// <exception cref="StartupProblemException">There is an argument that is no option, or an option that does not
    /// exist.</exception>
    public static void Check(IReadOnlyList<string> args)
    {
        var problems = new List<string>();
        for (var i = 0; i < args.Count; i++)
        {
            if (Key(args[i]) is not { } key)
            {
                problems.Add($"'{args[i]}' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).");
                continue;
            }

            if (key is not (PrintGraph or CheckStart) && !s_aspire.Contains(key) && !s_sections.Contains(key.Split(':')[0]))
            {
                problems.Add($"Unknown option '{args[i]}'; give settings as --Hazumu:Key=value (docs/settings.md lists them).");
            }

            if (!args[i].Contains('=', StringComparison.Ordinal))
            {
                // As the configuration provider reads it: the next argument is the value, whatever it looks like.
                i++;
            }
        }

        StartupProblemException.ThrowIfAny(problems, exitCode: 2);
    }

    private static string? Key(string argument)
    {
        var name = argument.Split('=')[0];
        return name.StartsWith("--", StringComparison.Ordinal) ? name[2..]
            : name.StartsWith('/') || argument.Contains('=', StringComparison.Ordinal) ? name.TrimStart('/')
            : null;
    }
}
