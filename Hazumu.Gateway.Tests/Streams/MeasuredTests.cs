using System.Globalization;
using System.Text;
using System.Text.Json;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>What is measured of a known stream: tokens to the last, times within what a busy machine adds.</summary>
[Collection(Alone.Name)]
public sealed class MeasuredTests : IClassFixture<MeasuredTests.Warm>
{
    private const string Secret = "a-key-that-is-long-enough-for-that-0123456789";
    private const string Prompt = "what-nobody-may-read";
    private const int Tokens = 7;

    private static readonly TimeSpan s_prefill = TimeSpan.FromMilliseconds(120);
    private static readonly TimeSpan s_token = TimeSpan.FromMilliseconds(20);

    /// <summary>Path, body, operation, dialect, the conventions' operation, whether it is a stream, tokens that are told to come from the cache.</summary>
    public static TheoryData<string, string, string, string, string, bool, int> Requests => new()
    {
        { "/api/chat", "", "chat", "native", "chat", true, 20 },
        { "/api/chat", ",\"stream\":false", "chat", "native", "chat", false, 20 },
        { "/api/generate", "", "generate", "native", "text_completion", true, 20 },
        { "/api/generate", ",\"stream\":false", "generate", "native", "text_completion", false, 20 },
        { "/v1/chat/completions", ",\"stream\":true", "chat", "openai", "chat", true, 0 },
        { "/v1/chat/completions", ",\"stream\":true,\"stream_options\":{\"include_usage\":true}", "chat", "openai", "chat", true, 0 },
        { "/v1/chat/completions", "", "chat", "openai", "chat", false, 0 },
        { "/v1/completions", ",\"stream\":true", "generate", "openai", "text_completion", true, 0 },
        { "/v1/completions", "", "generate", "openai", "text_completion", false, 0 },
        { "/v1/messages", ",\"max_tokens\":50,\"stream\":true", "chat", "anthropic", "chat", true, 0 },
        { "/v1/messages", ",\"max_tokens\":50", "chat", "anthropic", "chat", false, 0 },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_request_is_measured_to_the_token(string path, string options, string operation, string dialect, string name, bool isStream, int cached)
    {
        await using var engine = await StartEngineAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        // The first finds the model on disk, the second in memory.
        for (var i = 0; i < 2; i++)
        {
            using var body = new StringContent(Body(options), Encoding.UTF8, "application/json");
            using var answer = await gateway.Http.PostAsync(new Uri(path, UriKind.Relative), body);
            Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}\n{string.Join('\n', gateway.Logged)}");
            await gateway.Measured.RequestsAsync(i + 1);
        }

        var measured = gateway.Measured;
        await Wait.UntilAsync(() => Assert.Equal(2, measured.Of("hazumu.gateway.request.phase", ("phase", "overhead")).Count));
        Assert.Equal(2, measured.Sum("hazumu.gateway.requests", ("outcome", "success"), ("operation", operation), ("dialect", dialect), ("key", "anonymous")));
        Assert.Equal([26d, 26d], measured.Of("gen_ai.client.token.usage", ("gen_ai.token.type", "input"), ("gen_ai.operation.name", name), ("gen_ai.request.model", "mock:latest")).Select(one => one.Value));
        Assert.Equal([7d, 7d], measured.Of("gen_ai.client.token.usage", ("gen_ai.token.type", "output"), ("gen_ai.operation.name", name), ("gen_ai.response.model", "mock:latest")).Select(one => one.Value));
        Assert.Equal(52, measured.Sum("gen_ai.client.inference.usage.input_tokens"));
        Assert.Equal(14, measured.Sum("gen_ai.client.inference.usage.output_tokens"));
        Assert.Equal(2 * cached, measured.Sum("gen_ai.client.inference.usage.cache_read.input_tokens"));
        Assert.Equal(cached > 0 ? 2 : 0, measured.Sum("hazumu.gateway.prompt_cache.hits"));
        Assert.Equal((52d, 14d), (measured.Sum("hazumu.gateway.key.tokens", ("type", "input")), measured.Sum("hazumu.gateway.key.tokens", ("type", "output"))));
        Assert.Equal(1, measured.Sum("hazumu.gateway.cold_starts"));
        Assert.Empty(measured.Of("hazumu.gateway.errors"));

        var durations = measured.Of("gen_ai.server.request.duration").Select(one => one.Value).ToList();
        Assert.All(durations, seconds => Near(s_prefill + (Tokens * s_token), seconds));
        Assert.Equal([true, false], measured.Of("gen_ai.server.request.duration").Select(one => one.Tags["cold"]));
        if (isStream)
        {
            Assert.All(measured.Of("gen_ai.server.time_to_first_token"), one => Near(s_prefill, one.Value));
            Assert.Equal(2, measured.Of("gen_ai.server.time_to_first_token").Count);
            Assert.Equal(2, measured.Of("gen_ai.server.time_per_output_token").Count);
            if (dialect != "native")
            {
                // The same time, for each token but the first.
                Near(measured.Sum("hazumu.gateway.request.phase", ("phase", "decode")), measured.Sum("gen_ai.server.time_per_output_token") * (Tokens - 1), 0.000001);
            }
        }
        else
        {
            Assert.Empty(measured.Of("gen_ai.server.time_to_first_token"));
            Assert.Empty(measured.Of("gen_ai.server.time_per_output_token"));
        }

        // Where phases are known, they are all of the time there is.
        if (dialect == "native" || isStream)
        {
            AddsUp(durations.Sum(), measured);
            Assert.All(measured.Of("hazumu.gateway.request.phase", ("phase", "decode")), one => Near(Tokens * s_token, one.Value, early: 0.1));
            Assert.Equal(2, measured.Of("hazumu.gateway.request.phase", ("phase", "decode")).Count);
            Near(s_prefill, Assert.Single(measured.Of("hazumu.gateway.request.phase", ("phase", "prefill"), ("cold", false))).Value);
        }

        Assert.All(measured.Of("hazumu.gateway.request.phase", ("phase", "queue")), one => Assert.Equal(0, one.Value));
        Assert.All(measured.Of("hazumu.gateway.request.phase", ("phase", "overhead")), one => Assert.InRange(one.Value, 0, 1));
    }

    [Fact]
    public async Task A_wait_in_the_queue_is_a_phase_of_its_own()
    {
        await using var engine = await StartEngineAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address);
        await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            using var body = new StringContent(Body(""), Encoding.UTF8, "application/json");
            using var answer = await gateway.Http.PostAsync(new Uri("/api/chat", UriKind.Relative), body);
            answer.EnsureSuccessStatusCode();
        }));
        await gateway.Measured.RequestsAsync(3);
        await Wait.UntilAsync(() => Assert.Equal(3, gateway.Measured.Of("hazumu.gateway.request.phase", ("phase", "queue")).Count));

        var one = (s_prefill + (Tokens * s_token)).TotalSeconds;
        var waits = gateway.Measured.Of("hazumu.gateway.request.phase", ("phase", "queue")).Select(wait => wait.Value).Order().ToList();
        Assert.Equal(0, waits[0]);
        Near(TimeSpan.FromSeconds(one), waits[1]);
        Near(TimeSpan.FromSeconds(2 * one), waits[2]);
        AddsUp(gateway.Measured.Sum("gen_ai.server.request.duration"), gateway.Measured, requests: 3);
    }

    [Fact]
    public async Task Access_log_and_metrics_agree_and_contain_no_secret()
    {
        await using var engine = await StartEngineAsync();
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:alice:Key={Secret}");
        foreach (var (path, options) in ((string, string)[])[("/api/chat", ""), ("/v1/chat/completions", ",\"stream\":true"), ("/v1/messages", ",\"max_tokens\":50")])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{path}?secret={Prompt}") { Content = new StringContent(Body(options), Encoding.UTF8, "application/json") };
            request.Headers.Add(path == "/v1/messages" ? "x-api-key" : "Authorization", path == "/v1/messages" ? Secret : $"Bearer {Secret}");
            request.Headers.Add("User-Agent", "measured/1");
            using var answer = await gateway.Http.SendAsync(request);
            var bytes = await answer.Content.ReadAsByteArrayAsync();

            var line = await gateway.AccessAsync(line => line.GetProperty("path").GetString() == path);
            var sent = Body(options).Length;
            Assert.Equal(
                ("access", "POST", "alice", "mock", "engine", "success", "measured/1"),
                (Text("type"), Text("method"), Text("key"), Text("model"), Text("instance"), Text("outcome"), Text("user_agent")));
            Assert.Equal((200, 26, 7, sent, bytes.Length), (Number("status"), Number("input_tokens"), Number("output_tokens"), Number("bytes_in"), Number("bytes_out")));
            Near(s_prefill + (Tokens * s_token), Number("total_ms") / 1000);
            if (path != "/v1/messages")
            {
                Near(s_prefill, Number("ttft_ms") / 1000);
                Near(Tokens * s_token, Number("decode_ms") / 1000, early: 0.1);
            }

            string? Text(string name) => line.GetProperty(name).GetString();
            double Number(string name) => line.GetProperty(name).GetDouble();
        }

        using (var refused = await gateway.Http.PostAsync(new Uri("/api/generate", UriKind.Relative), new StringContent(Body(""))))
        {
            Assert.Equal(401, (int)refused.StatusCode);
        }

        var unauthorized = await gateway.AccessAsync(line => line.GetProperty("path").GetString() == "/api/generate");
        Assert.Equal("unauthorized", unauthorized.GetProperty("outcome").GetString());
        Assert.DoesNotContain(gateway.Printed, line => line.Contains(Secret, StringComparison.Ordinal) || line.Contains(Prompt, StringComparison.Ordinal) || line.Contains("日本", StringComparison.Ordinal));

        using var scrape = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        using var scraped = await gateway.Http.SendAsync(scrape);
        var samples = (await scraped.Content.ReadAsStringAsync()).Split('\n');
        Assert.Equal(3, Sum("hazumu_gateway_requests_total{", "outcome=\"success\"", "key=\"alice\""));
        Assert.Equal(1, Sum("hazumu_gateway_requests_total{", "outcome=\"unauthorized\""));
        Assert.Equal(78, Sum("gen_ai_client_inference_usage_input_tokens_total{"));
        Assert.Equal(21, Sum("gen_ai_client_inference_usage_output_tokens_total{"));
        Assert.Equal(99, Sum("gen_ai_client_token_usage_sum{"));
        Assert.Equal(99, Sum("hazumu_gateway_key_tokens_total{", "key=\"alice\""));
        Assert.Equal(2, Sum("gen_ai_server_time_to_first_token_seconds_count{"));
        Assert.Equal(1, Sum("hazumu_gateway_instance_up{", "hazumu_instance=\"engine\""));
        Assert.Equal(0, Sum("hazumu_gateway_slots_used{"));
        Assert.DoesNotContain(samples, sample => sample.Contains(Secret, StringComparison.Ordinal));

        double Sum(string start, params string[] parts) => samples
            .Where(sample => sample.StartsWith(start, StringComparison.Ordinal) && parts.All(part => sample.Contains(part, StringComparison.Ordinal)))
            .Sum(sample => double.Parse(sample[(sample.IndexOf('}', StringComparison.Ordinal) + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));
    }

    private static Task<MockEngine> StartEngineAsync() => MockEngine.StartAsync(new MockEngineOptions
    {
        Models = [new MockModel("mock")],
        Tokens = Tokens,
        TokenText = "日本é",
        TokenTime = s_token,
        PrefillTime = s_prefill,
        PromptTokens = 26,
        CachedPromptTokens = 20,
    });

    private static string Body(string options) => $$"""{"model":"mock","prompt":"{{Prompt}}","messages":[{"role":"user","content":"{{Prompt}}"}]{{options}}}""";

    // Hardly early, but that what follows something late is short; a busy machine may be very late.
    private static void Near(TimeSpan expected, double seconds, double early = 0.02) => Assert.InRange(seconds, expected.TotalSeconds - early, expected.TotalSeconds + 3);

    private static void Near(double expected, double seconds, double tolerance) => Assert.InRange(seconds, expected - tolerance, expected + tolerance);

    // What is missing is the way to the engine and back, which a busy machine makes longer.
    private static void AddsUp(double duration, Measurements measured, int requests = 1) =>
        Assert.InRange(measured.Sum("hazumu.gateway.request.phase"), duration - requests, duration + 0.05);

    /// <summary>Has every dialect's code compiled before time is taken.</summary>
    public sealed class Warm : IAsyncLifetime
    {
        public async ValueTask InitializeAsync()
        {
            await using var engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")] });
            await using var gateway = await TestGateway.StartAsync(engine.Address);
            foreach (var path in (string[])["/api/chat", "/api/generate", "/v1/chat/completions", "/v1/completions", "/v1/messages"])
            {
                foreach (var options in (string[])[",\"stream\":true", ",\"stream\":false"])
                {
                    using var body = new StringContent(Body(options), Encoding.UTF8, "application/json");
                    using var answer = await gateway.Http.PostAsync(new Uri(path, UriKind.Relative), body);
                    answer.EnsureSuccessStatusCode();
                }
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
