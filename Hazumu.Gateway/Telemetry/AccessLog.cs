using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;
using Microsoft.Extensions.ObjectPool;

namespace Hazumu.Gateway.Telemetry;

/// <summary>One line of JSON for each finished request.</summary>
/// <remarks>
/// A line has what <see cref="GatewayRequest"/> knows, and nothing of the contents of request and answer: no prompt, no
/// key, no body, no query string. It is pure ASCII, whatever a client puts into its path, model or user agent. Unknown
/// members are omitted.
/// </remarks>
internal sealed class AccessLog : IHostedService
{
    private const int LongestPath = 1024;
    private const int LongestAgent = 256;
    private const int LongestMethod = 32;

    private static readonly TimeSpan s_flush = TimeSpan.FromSeconds(5);

    private readonly ObjectPool<Line> _pool = ObjectPool.Create<Line>();
    private readonly TelemetrySettings _settings;
    private readonly TimeProvider _time;
    private readonly LineWriter _lines;

    public AccessLog(TelemetrySettings settings, GatewayMetrics metrics, TimeProvider time, StandardOutput output)
    {
        _settings = settings;
        _time = time;
        _lines = output.Lines;
        output.Dropped = metrics.LogDropped;
    }

    /// <summary>Writes the line of a finished request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="phases">Its phases.</param>
    /// <param name="context">The request's context.</param>
    /// <param name="server">The server's span, if there is one.</param>
    public void Record(GatewayRequest request, in RequestPhases phases, HttpContext context, Activity? server)
    {
        var options = _settings.Current.AccessLog;
        if (!options.Enabled || (!options.Probes && IsProbe(request, context)))
        {
            return;
        }

        var line = _pool.Get();
        var json = line.Json;
        json.WriteStartObject();
        WriteRequest(json, request, context, server);
        WriteTimes(json, in phases);
        WriteAmounts(json, request);
        WriteClient(json, context);
        json.WriteEndObject();
        json.Flush();
        line.Bytes.Write("\n"u8);
        _lines.Write(line.Bytes.WrittenSpan);
        _pool.Return(line);
    }

    /// <summary>Waits until all lines so far are written.</summary>
    public bool Flush(TimeSpan limit) => _lines.Flush(limit);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // By now the server has stopped, and with it the requests. Later lines are written when standard output is
    // disposed.
    public Task StopAsync(CancellationToken cancellationToken) => Task.Run(() => Flush(s_flush), cancellationToken);

    private static bool IsProbe(GatewayRequest request, HttpContext context) =>
        request.Operation.Handling == Handling.Banner
        || context.Request.Path.Value is "/health" or "/alive" or "/metrics";

    private void WriteRequest(Utf8JsonWriter json, GatewayRequest request, HttpContext context, Activity? server)
    {
        WriteTime(json, _time.GetUtcNow());
        json.WriteString("type"u8, "access"u8);
        WriteText(json, "request_id"u8, request.Id, RequestId.LongestLength);
        if (server is not null)
        {
            WriteTraceId(json, server);
        }

        WriteText(json, "method"u8, context.Request.Method, LongestMethod);
        WriteText(json, "path"u8, context.Request.Path.Value, LongestPath);
        json.WriteString("operation"u8, request.Operation.Name);
        json.WriteString("dialect"u8, Attributes.NameOf(request.Operation.Dialect));
        json.WriteString("key"u8, request.Caller.Name);
        WriteText(json, "end_user"u8, request.EndUser, EndUsers.LongestName);
        WriteText(json, "model"u8, request.Model, Attributes.LongestModel);
        if (request.Served is { } served)
        {
            WriteText(json, "served_model"u8, served.Name, Attributes.LongestModel);
            json.WriteString("fallback"u8, Attributes.NameOf(request.Fallback));
        }

        WriteText(json, "instance"u8, request.Instance, LongestAgent);
        WriteCount(json, "status"u8, request.StatusCode);
        json.WriteString("outcome"u8, Attributes.NameOf(request.Outcome));

        if (request.Operation.Handling == Handling.Infer)
        {
            json.WriteBoolean("cold"u8, request.IsCold);
            json.WriteBoolean("stream"u8, request.WantsStream);
        }

        if (request.Priority != Priority.Normal)
        {
            json.WriteString("priority"u8, PriorityNames.Of(request.Priority));
        }

        WriteCount(json, "queue_position"u8, request.QueuePosition);
        WriteCount(json, "attempts"u8, request.Attempts);
    }

    private static void WriteTimes(Utf8JsonWriter json, in RequestPhases phases)
    {
        WriteMilliseconds(json, "total_ms"u8, phases.Total);
        WriteMilliseconds(json, "body_ms"u8, phases.Body > 0 ? phases.Body : null);
        WriteMilliseconds(json, "queue_ms"u8, phases.Queue);
        WriteMilliseconds(json, "load_ms"u8, phases.Load);
        WriteMilliseconds(json, "prefill_ms"u8, phases.Prefill);
        WriteMilliseconds(json, "decode_ms"u8, phases.Decode);
        WriteMilliseconds(json, "ttft_ms"u8, phases.FirstToken);
        WriteMilliseconds(json, "overhead_ms"u8, phases.Overhead);
    }

    private static void WriteAmounts(Utf8JsonWriter json, GatewayRequest request)
    {
        ref var facts = ref request.Facts;
        if (facts.HasUsage)
        {
            json.WriteNumber("input_tokens"u8, facts.InputTokens);
            json.WriteNumber("cached_tokens"u8, facts.CachedTokens);
            json.WriteNumber("output_tokens"u8, facts.OutputTokens);
        }

        json.WriteNumber("bytes_in"u8, request.RequestBytes);
        json.WriteNumber("bytes_out"u8, request.ResponseBytes);
        json.WriteNumber("chunks"u8, request.Chunks);
    }

    private static void WriteClient(Utf8JsonWriter json, HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is { } address)
        {
            WriteAddress(json, address);
        }

        if (context.Request.Headers.UserAgent is { Count: > 0 } agents)
        {
            WriteText(json, "user_agent"u8, agents[0] is { } agent ? GatewayHeaders.Decode(agent) : null, LongestAgent);
        }
    }

    /// <summary>RFC 3339 in UTC, always with three digits of a second: <c>2026-08-24T09:30:05.120Z</c>.</summary>
    private static void WriteTime(Utf8JsonWriter json, DateTimeOffset time)
    {
        const int UntilMilliseconds = 23;
        Span<byte> text = stackalloc byte[32];
        time.UtcDateTime.TryFormat(text, out _, "O", null);
        text[UntilMilliseconds] = (byte)'Z';
        json.WriteString("time"u8, text[..(UntilMilliseconds + 1)]);
    }

    private static void WriteTraceId(Utf8JsonWriter json, Activity server)
    {
        Span<byte> id = stackalloc byte[16];
        Span<byte> text = stackalloc byte[32];
        server.TraceId.CopyTo(id);
        Convert.TryToHexStringLower(id, text, out _);
        json.WriteString("trace"u8, text);
    }

    private static void WriteAddress(Utf8JsonWriter json, IPAddress address)
    {
        // A dual-stack socket reports an IPv4 client as IPv6: ::ffff:192.0.2.1.
        const string Mapped = "::ffff:";
        Span<char> text = stackalloc char[65];
        if (address.TryFormat(text, out var length))
        {
            var shown = text[..length];
            json.WriteString("client"u8, address.IsIPv4MappedToIPv6 && shown.StartsWith(Mapped) ? shown[Mapped.Length..] : shown);
        }
    }

    private static void WriteText(Utf8JsonWriter json, ReadOnlySpan<byte> name, string? text, int longest)
    {
        if (!string.IsNullOrEmpty(text))
        {
            json.WriteString(name, text.Length > longest ? text.AsSpan(0, longest) : text);
        }
    }

    private static void WriteCount(Utf8JsonWriter json, ReadOnlySpan<byte> name, int count)
    {
        if (count != 0)
        {
            json.WriteNumber(name, count);
        }
    }

    /// <summary>Milliseconds to the microsecond: a shortest <see cref="double"/> would have fifteen digits more and take longer.</summary>
    private static void WriteMilliseconds(Utf8JsonWriter json, ReadOnlySpan<byte> name, double? seconds)
    {
        if (seconds is not { } value)
        {
            return;
        }

        Span<byte> text = stackalloc byte[32];
        var microseconds = (long)Math.Round(value * 1e6);
        var fraction = (int)(microseconds % 1000);
        (microseconds / 1000).TryFormat(text, out var length);
        if (fraction != 0)
        {
            text[length++] = (byte)'.';
            text[length++] = (byte)('0' + (fraction / 100));
            text[length++] = (byte)('0' + (fraction / 10 % 10));
            text[length++] = (byte)('0' + (fraction % 10));
        }

        json.WritePropertyName(name);
        json.WriteRawValue(text[..length], skipInputValidation: true);
    }

    private sealed class Line : IResettable, IDisposable
    {
        public Line() => Json = new Utf8JsonWriter(Bytes, new JsonWriterOptions { SkipValidation = true });

        public ArrayBufferWriter<byte> Bytes { get; } = new(1024);

        public Utf8JsonWriter Json { get; }

        public bool TryReset()
        {
            Bytes.ResetWrittenCount();
            Json.Reset();
            return true;
        }

        public void Dispose() => Json.Dispose();
    }
}
