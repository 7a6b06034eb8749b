using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class AccessLogTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    private readonly MeasuredGateway _gateway = new();
    private readonly GatedStream _output = new();
    private readonly StandardOutput _lines;
    private readonly AccessLog _log;

    public AccessLogTests()
    {
        _lines = new StandardOutput(_output);
        _log = new AccessLog(_gateway.Settings, _gateway.Metrics, _gateway.Time, _lines);
    }

    public void Dispose()
    {
        _lines.Dispose();
        _output.Dispose();
        _gateway.Dispose();
    }

    [Fact]
    public void A_line_has_everything_that_is_known()
    {
        using var server = new Activity("server").SetIdFormat(ActivityIdFormat.W3C).Start();

        var line = LineOf(TelemetrySamples.Native(), Context("POST", "/api/chat", "ollama-python/0.5.1 (x86_64 linux)"), server);

        Assert.Equal(
            OneLine("""
                {"time":"2026-08-24T09:30:05.120Z","type":"access","request_id":"req-1","trace":"TRACE","method":"POST","path":"/api/chat",
                "operation":"chat","dialect":"native","key":"alice","model":"tiny","instance":"ollama","status":200,"outcome":"success",
                "cold":false,"stream":true,"queue_position":3,"attempts":1,
                "total_ms":10000,"body_ms":500,"queue_ms":2000,"load_ms":500,"prefill_ms":250,"decode_ms":5940,"ttft_ms":2751,"overhead_ms":1.500,
                "input_tokens":26,"cached_tokens":6,"output_tokens":298,"bytes_in":120,"bytes_out":34567,"chunks":299,
                "client":"192.0.2.7","user_agent":"ollama-python/0.5.1 (x86_64 linux)"}
                """),
            line.Replace(server.TraceId.ToHexString(), "TRACE", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("caf\u00C3\u00A9/1.0", "café/1.0")]
    [InlineData("caf\u00E9/1.0", "café/1.0")]
    public void User_agent_outside_ASCII_is_logged_as_text(string header, string text)
    {
        using var json = JsonDocument.Parse(LineOf(TelemetrySamples.Native(), Context("POST", "/api/chat", header)));

        Assert.Equal(text, json.RootElement.GetProperty("user_agent").GetString());
    }

    [Fact]
    public void Unknown_values_are_left_out()
    {
        var request = TelemetrySamples.Asked("DELETE", "/api/delete", 0.0123456, Outcome.Unauthorized, 401);

        var line = LineOf(request, new DefaultHttpContext { Request = { Method = "DELETE", Path = "/api/delete" } });

        Assert.Equal(
            OneLine("""
                {"time":"2026-08-24T09:30:05.120Z","type":"access","method":"DELETE","path":"/api/delete","operation":"delete",
                "dialect":"native","key":"anonymous","status":401,"outcome":"unauthorized","total_ms":12.346,"bytes_in":0,"bytes_out":0,"chunks":0}
                """),
            line);
    }

    [Theory]
    [InlineData("/api/chat\n{\"type\":\"access\",\"outcome\":\"success\"}")]
    [InlineData("/\"},{\"key\":\"root")]
    [InlineData("/\\\"\u0000\u001b[31m\u007f\u0085\u2028\u2029\u202e")]
    [InlineData("/\u65e5\u672c\u8a9e \ud83d\ude00 </script>")]
    public void Hostile_text_stays_inside_its_member(string text)
    {
        var request = TelemetrySamples.Native();
        request.Model = text;

        var line = LineOf(request, Context("POST", text, text));

        Assert.All(line, character => Assert.InRange(character, ' ', '~'));
        using var json = JsonDocument.Parse(line);
        Assert.Equal(text, json.RootElement.GetProperty("path").GetString());
        Assert.Equal(text, json.RootElement.GetProperty("model").GetString());
        Assert.Equal(text, json.RootElement.GetProperty("user_agent").GetString());
        Assert.Equal("alice", json.RootElement.GetProperty("key").GetString());
    }

    // Numbers: an attribute cannot hold half a character.
    [Theory]
    [InlineData(0xd800, "b")]
    [InlineData(0xdc00, "b")]
    [InlineData(0xd83d, "")]
    public void Half_a_character_is_replaced(int half, string after)
    {
        var text = $"/a{(char)half}{after}";
        var request = TelemetrySamples.Native();
        request.Model = text;

        var line = LineOf(request, Context("POST", text, "agent"));

        using var json = JsonDocument.Parse(line);
        Assert.Equal($"/a\ufffd{after}", json.RootElement.GetProperty("path").GetString());
        Assert.Equal($"/a\ufffd{after}", json.RootElement.GetProperty("model").GetString());
    }

    [Fact]
    public void Long_text_is_cut_off()
    {
        var request = TelemetrySamples.Native();
        request.Model = new string('m', 127) + "\ud83d\ude00" + new string('m', 100_000);

        var line = LineOf(request, Context("POST", "/" + new string('\u65e5', 100_000), new string('u', 100_000)));

        using var json = JsonDocument.Parse(line);
        Assert.Equal(new string('m', 127) + "\ufffd", json.RootElement.GetProperty("model").GetString());
        Assert.Equal(1024, json.RootElement.GetProperty("path").GetString()!.Length);
        Assert.Equal(256, json.RootElement.GetProperty("user_agent").GetString()!.Length);
    }

    [Fact]
    public void No_secret_is_logged()
    {
        var context = Context("POST", "/api/chat", "agent");
        context.Request.QueryString = new QueryString("?key=hunter2");
        context.Request.Headers.Authorization = "Bearer hunter2";
        context.Request.Headers["x-api-key"] = "hunter2";
        context.Request.Headers.Cookie = "session=hunter2";
        context.Request.Headers.Referer = "http://hunter2/";
        context.Request.Body = new MemoryStream("""{"model":"tiny","prompt":"hunter2"}"""u8.ToArray());

        var line = LineOf(TelemetrySamples.Native(), context);

        Assert.DoesNotContain("hunter2", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7")]
    [InlineData("2001:db8::1", "2001:db8::1")]
    public void A_clients_address_is_logged_in_its_own_notation(string address, string told)
    {
        var context = Context("POST", "/api/chat", "agent");
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);

        using var json = JsonDocument.Parse(LineOf(TelemetrySamples.Native(), context));

        Assert.Equal(told, json.RootElement.GetProperty("client").GetString());
    }

    [Fact]
    public void A_setting_turns_it_off_and_on_while_it_runs()
    {
        var options = new TelemetryOptions();
        var settings = new TelemetrySettings(() => options);
        var log = new AccessLog(settings, _gateway.Metrics, _gateway.Time, _lines);

        foreach (var isOn in new[] { true, false, true })
        {
            options = new TelemetryOptions { AccessLog = { Enabled = isOn } };
            var request = TelemetrySamples.Native();
            log.Record(request, RequestPhases.Of(request), Context("POST", "/api/chat", isOn ? "on" : "off"), server: null);
        }

        Assert.True(log.Flush(s_limit));
        Assert.Equal(2, _output.Lines.Length);
        Assert.All(_output.Lines, line => Assert.Contains("\"user_agent\":\"on\"", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("GET", "/", true)]
    [InlineData("HEAD", "/", true)]
    [InlineData("GET", "/health", true)]
    [InlineData("GET", "/alive", true)]
    [InlineData("GET", "/metrics", true)]
    [InlineData("GET", "/api/tags", false)]
    [InlineData("POST", "/api/chat", false)]
    public void A_setting_leaves_out_probes(string method, string path, bool isProbe)
    {
        var request = TelemetrySamples.Asked(method, path, 0.001, Outcome.Success, 200);
        Record(request, Context(method, path, "probe"));
        _gateway.Options.AccessLog.Probes = false;
        Record(request, Context(method, path, "probe"));

        Assert.True(_log.Flush(s_limit));
        Assert.Equal(isProbe ? 1 : 2, _output.Lines.Length);
    }

    [Fact]
    public void Lines_that_are_lost_are_counted()
    {
        _output.Error = new IOException("Broken pipe");
        Record(TelemetrySamples.Native(), Context("POST", "/api/chat", "agent"));
        Assert.True(_log.Flush(s_limit));

        Assert.Equal(["1 {}"], _gateway["hazumu.gateway.access_log.dropped"]);
    }

    [Fact]
    public async Task Stopping_writes_what_waits()
    {
        await _log.StartAsync(default);
        for (var number = 0; number < 100; number++)
        {
            Record(TelemetrySamples.Native(), Context("POST", "/api/chat", "agent"));
        }

        await _log.StopAsync(default);

        Assert.Equal(100, _output.Lines.Length);
    }

    [Fact]
    public void A_line_costs_no_allocation()
    {
        var request = TelemetrySamples.Native();
        var context = Context("POST", "/api/chat", "agent");

        Assert.Equal(0, Allocations.Of(RecordSome));

        void RecordSome()
        {
            // Few enough to fit into the buffer, should the writing thread not come to it.
            for (var number = 0; number < 50; number++)
            {
                Record(request, context);
            }
        }
    }

    private static string OneLine(string text) => text.ReplaceLineEndings("");

    private static DefaultHttpContext Context(string method, string path, string agent)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = method;
        context.Request.Path = new PathString(path);
        context.Request.Headers.UserAgent = agent;
        context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.7");
        return context;
    }

    private void Record(GatewayRequest request, HttpContext context, Activity? server = null) =>
        _log.Record(request, RequestPhases.Of(request), context, server);

    private string LineOf(GatewayRequest request, HttpContext context, Activity? server = null)
    {
        Record(request, context, server);
        Assert.True(_log.Flush(s_limit));
        return Assert.Single(_output.Lines);
    }
}
