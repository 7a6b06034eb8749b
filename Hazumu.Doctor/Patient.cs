using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Hazumu.Doctor.Clients;

namespace Hazumu.Doctor;

/// <summary>The graph with a first answer of each component: whoever does not answer is told once, by one check, and asked no more.</summary>
internal sealed class Patient
{
    public const string PrometheusName = "prometheus";
    public const string AlertmanagerName = "alertmanager";
    public const string GrafanaName = "grafana";
    public const string GatewayName = "gateway";

    private Patient(WatchedGraph graph, IReadOnlyList<Pulse> pulses)
    {
        Graph = graph;
        Pulses = pulses;
    }

    /// <summary>What is looked at.</summary>
    public WatchedGraph Graph { get; }

    /// <summary>The first answers, of each component that is part of the graph.</summary>
    public IReadOnlyList<Pulse> Pulses { get; }

    /// <summary>Prometheus, where it answers.</summary>
    public PrometheusApi? Prometheus => Find(PrometheusName) is { } client ? new(client) : null;

    /// <summary>Alertmanager, where it answers.</summary>
    public AlertmanagerApi? Alertmanager => Find(AlertmanagerName) is { } client ? new(client) : null;

    /// <summary>Grafana, where it answers.</summary>
    public ComponentClient? Grafana => Find(GrafanaName);

    /// <summary>Asks each component of the graph for its health.</summary>
    public static async Task<Patient> ExamineAsync(HttpClient http, WatchedGraph graph, CancellationToken cancellationToken)
    {
        var login = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{graph.GrafanaUser}:{graph.GrafanaPassword}"));
        (string Name, Uri? Address, string Path, AuthenticationHeaderValue? Authorization)[] components =
        [
            (PrometheusName, graph.Prometheus, "-/ready", null),
            (AlertmanagerName, graph.Alertmanager, "-/ready", null),
            (GrafanaName, graph.Grafana, "api/health", new("Basic", login)),
            (GatewayName, graph.Gateway, "health", null),
        ];
        return new(graph, await Task.WhenAll(components
            .Where(component => component.Address is not null)
            .Select(component => Pulse.FeelAsync(new ComponentClient(http, component.Name, component.Address!, component.Authorization), component.Path, cancellationToken))));
    }

    /// <summary>Why a component is not asked: it is left out, or does not answer.</summary>
    public string WhyNot(string name) => Pulses.Any(pulse => pulse.Client.Name == name) ? $"{name} does not answer" : $"{name} is not part of this graph";

    private ComponentClient? Find(string name) => Pulses.FirstOrDefault(pulse => pulse.Client.Name == name && pulse.Answer is not null)?.Client;
}

/// <summary>A component's first answer.</summary>
/// <param name="Client">The component.</param>
/// <param name="Path">What it was asked.</param>
/// <param name="Answer">What it answered.</param>
/// <param name="Problem">Why there is no answer.</param>
/// <param name="Middle">This machine's time halfway between question and answer.</param>
internal sealed record Pulse(ComponentClient Client, string Path, Answer? Answer, string? Problem, DateTimeOffset Middle)
{
    public static async Task<Pulse> FeelAsync(ComponentClient client, string path, CancellationToken cancellationToken)
    {
        var began = DateTimeOffset.UtcNow;
        try
        {
            var answer = await client.SendAsync(HttpMethod.Get, path, content: null, cancellationToken);
            return answer.Status == HttpStatusCode.NotFound
                ? new(client, path, null, $"What answers on {client.Address} is not {client.Name}: it has no '{path}'; see which program is there, or correct {client.Name}'s port.", began)
                : new(client, path, answer, null, began + ((DateTimeOffset.UtcNow - began) / 2));
        }
        catch (CheckException problem)
        {
            return new(client, path, null, problem.Message, began);
        }
    }
}
