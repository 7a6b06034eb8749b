using System.CommandLine;
using Hazumu.Cli.Images;

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
        var prometheus = CreateAddress("--prometheus", "Prometheus");
        var alertmanager = CreateAddress("--alertmanager", "Alertmanager");
        var grafana = CreateAddress("--grafana", "Grafana");
        var gateway = CreateAddress("--gateway", "the gateway");
        var leftOut = new Option<string>("--left-out") { Description = "Components that are not part of the graph, separated by commas.", HelpName = "cadvisor,blackbox" };
        var volumes = new Option<string>("--volumes-folder") { Description = $"The host's folder with the engine's volumes; without it {DoctorOptions.DefaultVolumesFolder}.", HelpName = "PATH" };
        var noBuild = AppHostProgram.CreateNoBuildOption();
        Option[] addresses = [prometheus, alertmanager, grafana, gateway];
        var command = new Command("doctor", "Checks targets, rules, data sources, alert path, clocks and disk: of the graph that ./hazumu up started last, that settings describe, or at the given addresses.")
        {
            prometheus, alertmanager, grafana, gateway, leftOut, volumes, noBuild,
        };
        SettingArguments.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            var settings = SettingArguments.Read(result);
            var options = addresses.Any(address => result.GetResult(address) is not null)
                ? new DoctorOptions
                {
                    Prometheus = result.GetValue(prometheus),
                    Alertmanager = result.GetValue(alertmanager),
                    Grafana = result.GetValue(grafana),
                    Gateway = result.GetValue(gateway),
                    LeftOut = result.GetValue(leftOut)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [],
                    VolumesFolder = result.GetValue(volumes) ?? DoctorOptions.DefaultVolumesFolder,
                }
                : await DescribeAsync(settings, result.GetValue(noBuild), cancellationToken);
            var results = await CheckRunner.RunAsync(options with { GrafanaUser = First(s_users), GrafanaPassword = First(s_passwords) }, cancellationToken);
            await result.InvocationConfiguration.Output.WriteLineAsync(Report.Write(results));
            return results.Any(check => check.IsProblem) ? 1 : 0;
        });
        return command;

        // Both are 'admin' in development.
        string First(string[] names) => names.Select(variable).FirstOrDefault(value => value is { Length: > 0 }) ?? "admin";
    }

    private static async Task<DoctorOptions> DescribeAsync(SettingArguments settings, bool isBuilt, CancellationToken cancellationToken)
    {
        var checkout = Checkout.Find();
        var set = SettingArguments.OfEnvironment().Keys;
        var remembered = RememberedSettings.Read(checkout).Where(setting => !set.Contains(setting.Key, StringComparer.OrdinalIgnoreCase)).ToDictionary(setting => setting.Key, setting => (string?)setting.Value);
        var graph = await new AppHostProgram(checkout, isBuilt).DescribeAsync(settings.All, checkStart: false, cancellationToken, remembered);
        return new()
        {
            Prometheus = AddressOf("Prometheus"),
            Alertmanager = AddressOf("Alertmanager"),
            Grafana = AddressOf("Grafana"),
            Gateway = AddressOf("Gateway"),
            LeftOut = [.. graph.Components.Where(component => !component.Enabled).Select(component => component.Name)],
            VolumesFolder = graph.VolumesFolder,
        };

        Uri? AddressOf(string section) => graph[section] is { Enabled: true, Address: var address } ? address : null;
    }

    /// <summary>Creates an option for an address.</summary>
    /// <param name="name">The option.</param>
    /// <param name="whose">The component at that address.</param>
    public static Option<Uri> CreateAddress(string name, string whose) => new(name)
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
