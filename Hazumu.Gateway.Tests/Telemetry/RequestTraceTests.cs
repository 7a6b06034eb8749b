using System.Collections.Concurrent;
using System.Diagnostics;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class RequestTraceTests : IDisposable
{
    private readonly RequestTrace _trace = new(TimeProvider.System);
    private readonly ActivitySource _servers = new($"servers.{Guid.NewGuid():N}");
    private readonly ConcurrentQueue<Activity> _spans = new();
    private ActivityListener? _listener;

    public void Dispose()
    {
        _listener?.Dispose();
        _servers.Dispose();
        _trace.Dispose();
    }

    [Fact]
    public void The_phases_of_a_request_are_spans_one_after_the_other_below_the_servers()
    {
        var request = TelemetrySamples.Native();

        var server = Trace(request);

        Assert.Equal(["queue", "load", "prefill", "decode"], _spans.Select(span => span.OperationName));
        Assert.Equal([2, 0.5, 0.25, 5.94], _spans.Select(span => Math.Round(span.Duration.TotalSeconds, 5)));
        Assert.All(_spans, span => Assert.Equal((server.TraceId, server.SpanId), (span.TraceId, span.ParentSpanId)));
        foreach (var (before, after) in _spans.Zip(_spans.Skip(1)))
        {
            Assert.Equal(before.StartTimeUtc + before.Duration, after.StartTimeUtc);
        }

        var sent = DateTime.UtcNow - Stopwatch.GetElapsedTime(request.Sent, Stopwatch.GetTimestamp());
        Assert.InRange(_spans.First().StartTimeUtc + _spans.First().Duration - sent, TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_dialect_without_durations_gets_spans_from_its_bytes()
    {
        Trace(TelemetrySamples.Anthropic());

        Assert.Equal(["queue", "prefill", "decode"], _spans.Select(span => span.OperationName));
        Assert.Equal([2, 0.75, 6.7485], _spans.Select(span => Math.Round(span.Duration.TotalSeconds, 5)));
    }

    [Fact]
    public void The_server_span_has_the_outcome_of_the_request()
    {
        var server = Trace(TelemetrySamples.Native());

        Assert.Equal("chat", server.GetTagItem("gen_ai.operation.name"));
        Assert.Equal("ollama", server.GetTagItem("gen_ai.provider.name"));
        Assert.Equal("tiny", server.GetTagItem("gen_ai.request.model"));
        Assert.Equal("tiny", server.GetTagItem("gen_ai.response.model"));
        Assert.Equal(["stop"], Assert.IsType<string[]>(server.GetTagItem("gen_ai.response.finish_reasons")));
        Assert.Equal($"chat {TelemetrySamples.Native().Model}", server.DisplayName);
        Assert.Equal(2.751, server.GetTagItem("gen_ai.response.time_to_first_chunk"));
        Assert.Equal(26L, server.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal(298L, server.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Equal(6L, server.GetTagItem("gen_ai.usage.cache_read.input_tokens"));
        Assert.Equal("alice", server.GetTagItem("hazumu.key"));
        Assert.Equal("ollama", server.GetTagItem("hazumu.instance"));
        Assert.Equal(3, server.GetTagItem("hazumu.queue.position"));
        Assert.Equal(false, server.GetTagItem("hazumu.cold"));
        Assert.Equal(0.0015, Assert.IsType<double>(server.GetTagItem("hazumu.overhead")), 1e-9);
        Assert.Null(server.GetTagItem("error.type"));
        Assert.Equal(ActivityStatusCode.Unset, server.Status);
    }

    [Theory]
    [InlineData(Outcome.StreamError, 200, "stream_error", ActivityStatusCode.Error)]
    [InlineData(Outcome.EngineUnreachable, 502, "engine_unreachable", ActivityStatusCode.Error)]
    [InlineData(Outcome.EngineRefused, 404, "engine_refused", ActivityStatusCode.Unset)]
    [InlineData(Outcome.ClientDisconnect, 200, "client_disconnect", ActivityStatusCode.Unset)]
    [InlineData(Outcome.RateLimited, 429, "rate_limited", ActivityStatusCode.Unset)]
    internal void A_failure_has_its_type_and_is_an_error_where_it_is_ours(Outcome outcome, int statusCode, string error, ActivityStatusCode status)
    {
        var request = TelemetrySamples.Native();
        request.Outcome = outcome;
        request.StatusCode = statusCode;

        var server = Trace(request);

        Assert.Equal(error, server.GetTagItem("error.type"));
        Assert.Equal(status, server.Status);
    }

    [Fact]
    public void A_request_that_only_waited_has_that_span_alone()
    {
        var request = TelemetrySamples.Asked("POST", "/api/chat", 31, Outcome.QueueTimeout, 503);
        request.QueueWait = TelemetrySamples.Ticks(30);

        Trace(request);

        var span = Assert.Single(_spans);
        Assert.Equal("queue", span.OperationName);
        Assert.Equal(30, span.Duration.TotalSeconds, 1e-6);
    }

    [Fact]
    public void A_request_that_is_no_inference_has_no_phases()
    {
        var server = Trace(TelemetrySamples.Asked("POST", "/api/pull", 600, Outcome.Success, 200));

        Assert.Empty(_spans);
        Assert.Equal("pull", server.GetTagItem("hazumu.operation"));
        Assert.Equal("pull", server.DisplayName);
        Assert.Null(server.GetTagItem("gen_ai.operation.name"));
    }

    [Fact]
    public void A_hostile_model_name_is_cut_off()
    {
        var request = TelemetrySamples.Native();
        request.Model = new string('m', 100_000);

        Assert.Equal(128, Assert.IsType<string>(Trace(request).GetTagItem("gen_ai.request.model")).Length);
    }

    [Theory]
    [InlineData(ActivitySamplingResult.PropagationData)]
    [InlineData(ActivitySamplingResult.AllData)]
    public void Nothing_is_added_to_a_span_that_is_not_recorded(ActivitySamplingResult sampling)
    {
        var server = Trace(TelemetrySamples.Native(), sampling);

        Assert.Equal(sampling == ActivitySamplingResult.AllData, _spans.Count == 4);
        Assert.Equal(sampling == ActivitySamplingResult.AllData, server.TagObjects.Any());
    }

    [Fact]
    public void The_current_span_stays_the_servers()
    {
        Listen(ActivitySamplingResult.AllData);
        using var server = _servers.StartActivity("server", ActivityKind.Server)!;

        _trace.Record(TelemetrySamples.Native(), RequestPhases.Of(TelemetrySamples.Native()), server);

        Assert.Same(server, Activity.Current);
    }

    [Fact]
    public void Without_a_span_nothing_happens_and_nothing_is_allocated()
    {
        var request = TelemetrySamples.Native();
        var phases = RequestPhases.Of(request);

        Assert.Equal(0, Allocations.Of(() => _trace.Record(request, in phases, server: null)));
    }

    private Activity Trace(GatewayRequest request, ActivitySamplingResult sampling = ActivitySamplingResult.AllDataAndRecorded)
    {
        Listen(sampling);
        using var server = _servers.StartActivity("server", ActivityKind.Server)!;
        _trace.Record(request, RequestPhases.Of(request), server);
        return server;
    }

    private void Listen(ActivitySamplingResult sampling)
    {
        // Other tests trace too: spans below our own servers' are ours.
        var traces = new ConcurrentDictionary<ActivityTraceId, bool>();
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == RequestTrace.SourceName || ReferenceEquals(source, _servers),
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => sampling,
            ActivityStarted = span =>
            {
                if (ReferenceEquals(span.Source, _servers))
                {
                    traces[span.TraceId] = true;
                }
            },
            ActivityStopped = span =>
            {
                if (!ReferenceEquals(span.Source, _servers) && traces.ContainsKey(span.TraceId))
                {
                    _spans.Enqueue(span);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }
}
