using System.CommandLine;

namespace Hazumu.Cli.Doctor;

/// <summary>The command <c>doctor</c>: checks whether the monitoring of a running graph works.</summary>
internal static class DoctorCommand
{
    // Compose's name, Aspire's, and Aspire's for shells that allow no hyphen.
    private static readonly string[] s_users = ["GRAFANA_ADMIN_USER", "Parameters__grafana-admin-user", "Parameters__grafana_admin_user"];
    private static readonly string[] s_passwords = ["GRAFANA_ADMIN_PASSWORD", "Parameters__grafana-admin-password", "Parameters__grafana_admin_password"];

    /// <summary>Creates the command.</summary>
    /// <param name="variable">Looks up an environment variable.</param>
    public static Command Create(Func<string, string?> variable)
    {
        var prometheus = Address("--prometheus", "Prometheus");
        var alertmanager = Address("--alertmanager", "Alertmanager");
        var grafana = Address("--grafana", "Grafana");
        var gateway = Address("--gateway", "the gateway");
        var leftOut = new Option<string>("--left-out") { Description = "Components that are not part of the graph, separated by commas.", HelpName = "cadvisor,blackbox" };
        var volumes = new Option<string>("--volumes-folder") { Description = $"The host's folder with the engine's volumes; without it {DoctorOptions.DefaultVolumesFolder}.", HelpName = "PATH" };
        var command = new Command("doctor", "Checks targets, rules, data sources, alert path, clocks and disk. A component without an address is not part of the graph.")
        {
            prometheus, alertmanager, grafana, gateway, leftOut, volumes,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var results = await CheckRunner.RunAsync(
                new DoctorOptions
                {
                    Prometheus = result.GetValue(prometheus),
                    Alertmanager = result.GetValue(alertmanager),
                    Grafana = result.GetValue(grafana),
                    Gateway = result.GetValue(gateway),
                    GrafanaUser = First(s_users),
                    GrafanaPassword = First(s_passwords),
                    LeftOut = result.GetValue(leftOut)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [],
                    VolumesFolder = result.GetValue(volumes) ?? DoctorOptions.DefaultVolumesFolder,
                },
                cancellationToken);
            await result.InvocationConfiguration.Output.WriteLineAsync(Report.Write(results));
            return results.Any(check => check.IsProblem) ? 1 : 0;
        });
        return command;

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
