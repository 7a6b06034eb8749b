using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Tests.ServiceDefaults;

/// <summary>An OTLP collector for HTTP/protobuf that keeps what it is sent.</summary>
/// <remarks>
/// Field numbers: https://github.com/open-telemetry/opentelemetry-proto. Tests share a process, and telemetry listens to all of
/// it: look for what only your test makes.
/// </remarks>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly ConcurrentBag<(string Path, ProtobufMessage Message)> _requests;
    private readonly LocalServer _server;

    private OtlpReceiver(LocalServer server, ConcurrentBag<(string Path, ProtobufMessage Message)> requests)
    {
        _server = server;
        _requests = requests;
    }

    public string Url => _server.Url;

    /// <summary>Settings that make a service send here.</summary>
    public Dictionary<string, string?> Settings => new()
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Url,
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
    };

    public int Requests => _requests.Count;

    public IReadOnlyList<Signal> Spans => Read("/v1/traces", (span, resource) =>
        new Signal(resource, span.Text(5), Attributes(span.Messages(9))));

    public IReadOnlyList<Signal> Metrics => Read("/v1/metrics", (metric, resource) =>
        new Signal(resource, metric.Text(1), []));

    public IReadOnlyList<Signal> Logs => Read("/v1/logs", (log, resource) =>
        new Signal(resource, log.Messages(5).Select(body => body.Text(1)).SingleOrDefault(""), Attributes(log.Messages(6))));

    public static async Task<OtlpReceiver> StartAsync()
    {
        var requests = new ConcurrentBag<(string, ProtobufMessage)>();
        var server = await LocalServer.StartPlainAsync(app => app.MapPost("/v1/{signal}", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            requests.Add((context.Request.Path.Value!, new ProtobufMessage(body.ToArray())));
            context.Response.ContentType = "application/x-protobuf";
        }));
        return new OtlpReceiver(server, requests);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private List<Signal> Read(string path, Func<ProtobufMessage, Dictionary<string, string>, Signal> read) =>
    [
        .. from request in _requests
           where request.Path == path
           from ofResource in request.Message.Messages(1)
           let resource = Attributes(ofResource.Messages(1).SelectMany(resource => resource.Messages(1)))
           from ofScope in ofResource.Messages(2)
           from signal in ofScope.Messages(2)
           select read(signal, resource),
    ];

    private static Dictionary<string, string> Attributes(IEnumerable<ProtobufMessage> pairs)
    {
        var attributes = new Dictionary<string, string>();
        foreach (var pair in pairs)
        {
            attributes[pair.Text(1)] = pair.Messages(2).Select(value => value.Text(1)).SingleOrDefault("");
        }

        return attributes;
    }

    /// <summary>A span, metric or log record.</summary>
    /// <param name="Resource">Attributes of the service.</param>
    /// <param name="Name">The name; a log record's message.</param>
    /// <param name="Attributes">Its attributes; values other than text are empty.</param>
    internal sealed record Signal(Dictionary<string, string> Resource, string Name, Dictionary<string, string> Attributes);
}
