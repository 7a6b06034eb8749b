using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli.Doctor;

/// <summary>
/// The graph with a first answer of each component. One check reports a component that does not answer; the others skip
/// it.
/// </summary>
internal sealed class GraphSnapshot
{
    public const string PrometheusName = "prometheus";
    public const string AlertmanagerName = "alertmanager";
    public const string GrafanaName = "grafana";
    public const string GatewayName = "gateway";

    private GraphSnapshot(DoctorOptions options, IReadOnlyList<Probe> probes)
    {
        Options = options;
        Probes = probes;
    }

    /// <summary>The addresses of the graph.</summary>
    public DoctorOptions Options { get; }

    /// <summary>The first answers, of each component that is part of the graph.</summary>
    public IReadOnlyList<Probe> Probes { get; }

    /// <summary>Prometheus, if it answers.</summary>
    public PrometheusApi? Prometheus => Find(PrometheusName) is { } client ? new(client) : null;

    /// <summary>Alertmanager, if it answers.</summary>
    public AlertmanagerApi? Alertmanager => Find(AlertmanagerName) is { } client ? new(client) : null;

    /// <summary>Grafana, if it answers.</summary>
    public ComponentClient? Grafana => Find(GrafanaName);

    /// <summary>Probes each component of the graph.</summary>
    public static async Task<GraphSnapshot> TakeAsync(HttpClient http, DoctorOptions options, CancellationToken cancellationToken)
    {
        var login = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.GrafanaUser}:{options.GrafanaPassword}"));
        (string Name, Uri? Address, string Path, AuthenticationHeaderValue? Authorization)[] components =
        [
            (PrometheusName, options.Prometheus, "-/ready", null),
            (AlertmanagerName, options.Alertmanager, "-/ready", null),
            (GrafanaName, options.Grafana, "api/health", new("Basic", login)),
            (GatewayName, options.Gateway, "health", null),
        ];
        return new(options, await Task.WhenAll(components
            .Where(component => component.Address is not null)
            .Select(component => Probe.SendAsync(new ComponentClient(http, component.Name, component.Address!, component.Authorization), component.Path, cancellationToken))));
    }

    /// <summary>Why a component cannot be used: it is left out, or does not answer.</summary>
    public string DescribeAbsence(string name) => Probes.Any(probe => probe.Client.Name == name) ? $"{name} does not answer" : $"{name} is not part of this graph";

    private ComponentClient? Find(string name) => Probes.FirstOrDefault(probe => probe.Client.Name == name && probe.Answer is not null)?.Client;
}

/// <summary>A component's first answer.</summary>
/// <param name="Client">The component.</param>
/// <param name="Path">The path of the request.</param>
/// <param name="Answer">The response.</param>
/// <param name="Problem">Why there is no answer.</param>
/// <param name="Middle">This machine's time halfway between request and response.</param>
internal sealed record Probe(ComponentClient Client, string Path, Answer? Answer, string? Problem, DateTimeOffset Middle)
{
    public static async Task<Probe> SendAsync(ComponentClient client, string path, CancellationToken cancellationToken)
    {
        var began = DateTimeOffset.UtcNow;
        try
        {
            var answer = await client.SendAsync(HttpMethod.Get, path, content: null, cancellationToken);
            return answer.Status == HttpStatusCode.NotFound
                ? new(client, path, null, $"The program on {client.Address} is not {client.Name}: it has no '{path}'; find out which program it is, or correct {client.Name}'s port.", began)
                : new(client, path, answer, null, began + ((DateTimeOffset.UtcNow - began) / 2));
        }
        catch (CheckException problem)
        {
            return new(client, path, null, problem.Message, began);
        }
    }
}
