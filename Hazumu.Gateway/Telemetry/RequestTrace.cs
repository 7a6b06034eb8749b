using System.Diagnostics;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Telemetry;

/// <summary>
/// Adds the result of a request to the server's span, with a span for each phase below it. Does nothing if spans are
/// not recorded.
/// </summary>
internal sealed class RequestTrace(TimeProvider time) : IDisposable
{
    /// <summary>The source's name.</summary>
    public const string SourceName = "Hazumu.Gateway";

    private readonly ActivitySource _source = new(SourceName);

    /// <summary>Completes the server's span of a finished request, before ASP.NET Core stops it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="phases">Its phases.</param>
    /// <param name="server">The server's span, if there is one.</param>
    public void Record(GatewayRequest request, in RequestPhases phases, Activity? server)
    {
        if (server is not { IsAllDataRequested: true })
        {
            return;
        }

        server.DisplayName = request.Operation.Name;
        Describe(server, request, in phases);
        if (request.Operation.Handling == Handling.Infer)
        {
            DescribeInference(server, request, in phases);
            AddPhases(server, request, in phases);
        }
    }

    public void Dispose() => _source.Dispose();

    private static void Describe(Activity server, GatewayRequest request, in RequestPhases phases)
    {
        server.SetTag("hazumu.request_id", request.Id);
        server.SetTag("hazumu.operation", request.Operation.Name);
        server.SetTag("hazumu.dialect", Attributes.NameOf(request.Operation.Dialect));
        server.SetTag("hazumu.key", request.Caller.Name);
        server.SetTag(Attributes.Instance, request.Instance);
        server.SetTag("hazumu.attempts", request.Attempts);

        if (request.Outcome == Outcome.Success)
        {
            return;
        }

        var error = Attributes.NameOf(request.Outcome);
        server.SetTag(Attributes.ErrorType, error);

        // A fault or disconnect of the client is not an error of this server:
        // https://opentelemetry.io/docs/specs/semconv/http/http-spans/
        if (IsOurs(request.Outcome))
        {
            server.SetStatus(ActivityStatusCode.Error, error);
        }
    }

    private static bool IsOurs(Outcome outcome) => outcome is
        Outcome.EngineError or Outcome.StreamError or Outcome.StreamTruncated or Outcome.StreamStalled or Outcome.EngineTimeout
        or Outcome.EngineUnreachable or Outcome.QueueFull or Outcome.QueueTimeout or Outcome.ShuttingDown or Outcome.GatewayError;

    private static void DescribeInference(Activity server, GatewayRequest request, in RequestPhases phases)
    {
        ref var facts = ref request.Facts;
        var model = request.Model is { Length: > Attributes.LongestModel } tooLong ? tooLong[..Attributes.LongestModel] : request.Model;

        // As the conventions name a client's span.
        server.DisplayName = model is null ? request.Operation.GenAiName : $"{request.Operation.GenAiName} {model}";
        server.SetTag(Attributes.OperationName, request.Operation.GenAiName);
        server.SetTag(Attributes.ProviderName, Attributes.ProviderOf(request));
        server.SetTag(Attributes.RequestModel, model);
        server.SetTag(Attributes.ResponseModel, facts.ResponseModel ?? request.Served?.Name);
        server.SetTag(Attributes.FinishReasons, facts.FinishReason is { } reason ? new[] { reason } : null);
        server.SetTag(Attributes.TimeToFirstChunk, phases.FirstToken);
        server.SetTag("hazumu.fallback", request.Served is null ? null : Attributes.NameOf(request.Fallback));
        server.SetTag("hazumu.cold", request.IsCold);
        server.SetTag("hazumu.queue.position", request.QueuePosition);
        server.SetTag("hazumu.overhead", phases.Overhead);

        if (facts.HasUsage)
        {
            server.SetTag(Attributes.InputTokens, facts.InputTokens);
            server.SetTag(Attributes.OutputTokens, facts.OutputTokens);
            server.SetTag(Attributes.CachedTokens, facts.CachedTokens);
        }
    }

    /// <summary>
    /// Spans of phases that took time. The engine reports the lengths of its phases, not their start: they follow one
    /// another from the moment of sending.
    /// </summary>
    private void AddPhases(Activity server, GatewayRequest request, in RequestPhases phases)
    {
        if (!_source.HasListeners())
        {
            return;
        }

        var clock = new Clock(request.Clock, request.Clock.GetTimestamp(), time.GetUtcNow());
        var sent = clock.At(request.Sent != 0 ? request.Sent : request.Ended);
        Add(server, Attributes.Queue, sent - Length(phases.Queue), sent);
        var loaded = Add(server, Attributes.Load, sent, sent + Length(phases.Load));
        var read = Add(server, Attributes.Prefill, loaded, loaded + Length(phases.Prefill));
        Add(server, Attributes.Decode, read, read + Length(phases.Decode));
    }

    private DateTimeOffset Add(Activity server, string phase, DateTimeOffset start, DateTimeOffset end)
    {
        if (end > start)
        {
            using var span = _source.StartActivity(phase, ActivityKind.Internal, server.Context, startTime: start);
            span?.SetEndTime(end.UtcDateTime);
        }

        return end;
    }

    private static TimeSpan Length(double? seconds) => TimeSpan.FromSeconds(seconds ?? 0);

    /// <summary>Ties timestamps to the time of day.</summary>
    private readonly record struct Clock(TimeProvider Time, long Timestamp, DateTimeOffset Now)
    {
        public DateTimeOffset At(long timestamp) => Now - Time.GetElapsedTime(timestamp, Timestamp);
    }
}
