using System.CommandLine;
using System.CommandLine.Parsing;

namespace Hazumu.Doctor;

/// <summary>The command line.</summary>
/// <remarks>Ends with 0 where nothing is wrong, with 1 where something is, with 2 where the command is not understood.</remarks>
internal static class DoctorCommand
{
    private const int Wrong = 1;
    private const int Misunderstood = 2;

    // Compose's name, Aspire's, and Aspire's for shells that allow no hyphen.
    private static readonly string[] s_users = ["GRAFANA_ADMIN_USER", "Parameters__grafana-admin-user", "Parameters__grafana_admin_user"];
    private static readonly string[] s_passwords = ["GRAFANA_ADMIN_PASSWORD", "Parameters__grafana-admin-password", "Parameters__grafana_admin_password"];

    /// <summary>Runs the command.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="output">Where the report goes.</param>
    /// <param name="error">Where it goes that a command is not understood.</param>
    /// <param name="variable">Looks up an environment variable.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, Func<string, string?> variable)
    {
        var prometheus = Address("--prometheus", "Prometheus");
        var alertmanager = Address("--alertmanager", "Alertmanager");
        var grafana = Address("--grafana", "Grafana");
        var gateway = Address("--gateway", "the gateway");
        var leftOut = new Option<string>("--left-out") { Description = "Components that are not part of the graph, separated by commas.", HelpName = "cadvisor,blackbox" };
        var volumes = new Option<string>("--volumes-folder") { Description = $"The host's folder with the engine's volumes; without it {WatchedGraph.DefaultVolumesFolder}.", HelpName = "PATH" };
        var root = new RootCommand("Looks whether targets, rules, data sources, the alert path, clocks and disk are well. What is given no address is not part of the graph.")
        {
            prometheus, alertmanager, grafana, gateway, leftOut, volumes,
        };
        root.SetAction(async (result, cancellationToken) =>
        {
            var results = await Examination.RunAsync(
                new WatchedGraph
                {
                    Prometheus = result.GetValue(prometheus),
                    Alertmanager = result.GetValue(alertmanager),
                    Grafana = result.GetValue(grafana),
                    Gateway = result.GetValue(gateway),
                    GrafanaUser = First(s_users),
                    GrafanaPassword = First(s_passwords),
                    LeftOut = result.GetValue(leftOut)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [],
                    VolumesFolder = result.GetValue(volumes) ?? WatchedGraph.DefaultVolumesFolder,
                },
                cancellationToken);
            await output.WriteLineAsync(Report.Write(results));
            return results.Any(check => check.IsProblem) ? Wrong : 0;
        });

        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var problem in parsed.Errors)
            {
                await error.WriteLineAsync(problem.Message);
            }

            return Misunderstood;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (OperationCanceledException)
        {
            await error.WriteLineAsync("Broken off; nothing is said of what was not looked at.");
            return Wrong;
        }

        // Both are 'admin' in development.
        string First(string[] names) => names.Select(variable).FirstOrDefault(value => value is { Length: > 0 }) ?? "admin";
    }

    private static Option<Uri> Address(string name, string whose) => new(name)
    {
        Description = $"The address of {whose}.",
        HelpName = "URL",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is ("http" or "https"))
            {
                return address;
            }

            result.AddError($"{name} is '{text}'; allowed: an address such as http://localhost:9090.");
            return null;
        },
    };
}
