using System.Net;
using System.Text.Json;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor.Checks;

/// <summary>
/// Checks that Grafana gets answers from its data sources
/// (https://grafana.com/docs/grafana/latest/developers/http_api/data_source/).
/// </summary>
internal sealed class DataSourceCheck() : Check("data sources")
{
    private const string List = "api/datasources";

    /// <summary>The data source of the dashboards (grafana/provisioning/datasources).</summary>
    private const string Main = "hazumu-prometheus";

    protected override async Task<CheckResult> ExecuteAsync(GraphSnapshot snapshot, CancellationToken cancellationToken)
    {
        if (snapshot.Grafana is not { } grafana)
        {
            return NotApplicable(snapshot.DescribeAbsence(GraphSnapshot.GrafanaName));
        }

        var answer = await grafana.SendAsync(HttpMethod.Get, List, content: null, cancellationToken);
        if (answer.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            throw new CheckException($"Grafana refuses '{snapshot.Options.GrafanaUser}' as administrator: set the right GRAFANA_ADMIN_PASSWORD, or reset the password with 'Reset admin password' in the Aspire dashboard.");
        }

        var sources = answer.IsSuccess ? grafana.Read<IReadOnlyList<DataSource>>(List, answer) : throw grafana.UnexpectedAnswer(List, answer);
        var findings = new Findings();
        if (!sources.Any(source => source.Uid == Main))
        {
            findings.Problem($"Grafana has no data source with the uid '{Main}', so every dashboard is empty; see its log for the reason.");
        }

        // A component that is left out of the graph has no address, and its data source none either.
        var used = sources.Where(source => source.Uid == Main || source.Url is { Length: > 0 }).ToList();
        foreach (var source in used)
        {
            if (await FindProblemAsync(grafana, source, cancellationToken) is { } problem)
            {
                findings.Problem($"Grafana gets no answer from {source.Name} ({source.Url}): {problem}; check that it runs and is on the same network as Grafana.");
            }
        }

        return findings.ToResult(Name, Findings.Count(used.Count, "data source"));
    }

    private static async Task<string?> FindProblemAsync(ComponentClient grafana, DataSource source, CancellationToken cancellationToken)
    {
        // Alertmanager's has no health check of its own.
        var isAlertmanager = source.Type == "alertmanager";
        var uid = Uri.EscapeDataString(source.Uid);
        var path = isAlertmanager ? $"api/datasources/proxy/uid/{uid}/api/v2/status" : $"api/datasources/uid/{uid}/health";

        var answer = await grafana.SendAsync(HttpMethod.Get, path, content: null, cancellationToken);
        if (answer.IsSuccess && (isAlertmanager || grafana.Read<Health>(path, answer).Status == "OK"))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<Health>(answer.Body, JsonSerializerOptions.Web)?.Message ?? $"{(int)answer.Status}";
        }
        catch (JsonException)
        {
            return $"{(int)answer.Status}, {ComponentClient.Excerpt(answer.Body)}";
        }
    }

    private sealed record DataSource(string Uid, string Name, string Type, string? Url = null);

    private sealed record Health(string? Status = null, string? Message = null);
}
