using System.Diagnostics.Metrics;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class GatewayMetricsTests : IDisposable
{
    private const string Chat = "gen_ai.operation.name=chat, gen_ai.provider.name=ollama, gen_ai.request.model=tiny:latest, gen_ai.response.model=tiny:latest";
    private const string Server = "hazumu.instance=ollama";

    private readonly MeasuredGateway _gateway = new();

    public void Dispose() => _gateway.Dispose();

    [Fact]
    public void A_native_stream_is_measured_by_the_engines_own_durations()
    {
        _gateway.Record(TelemetrySamples.Native());

        AssertInference();
        Assert.Equal(
            [
                Phase("2", "queue"),
                Phase("0.0015", "overhead"),
                Phase("0.5", "load"),
                Phase("0.25", "prefill"),
                Phase("5.94", "decode"),
            ],
            _gateway["hazumu.gateway.request.phase"]);
    }

    [Fact]
    public void An_OpenAI_stream_is_measured_by_its_first_and_last_byte()
    {
        _gateway.Record(TelemetrySamples.OpenAI());

        AssertInference();
        AssertPhasesByBytes();
    }

    [Fact]
    public void An_Anthropic_stream_is_measured_by_its_first_and_last_byte()
    {
        _gateway.Record(TelemetrySamples.Anthropic());

        AssertInference();
        AssertPhasesByBytes();
    }

    [Fact]
    public void All_until_the_first_byte_is_the_load_where_the_model_was_not_in_memory()
    {
        var request = TelemetrySamples.OpenAI();
        request.IsCold = true;

        _gateway.Record(request);

        Assert.Equal(
            [
                Phase("2", "queue", cold: true),
                Phase("0.0015", "overhead", cold: true),
                Phase("0.75", "load", cold: true),
                Phase("6.7485", "decode", cold: true),
            ],
            _gateway["hazumu.gateway.request.phase"]);
        Assert.Equal(["1 {hazumu.instance=ollama, model=tiny:latest}"], _gateway["hazumu.gateway.cold_starts"]);
        Assert.Equal([$"9.5 {{cold=True, {Chat}, {Server}}}"], _gateway["gen_ai.server.request.duration"]);
    }

    [Fact]
    public void An_unstreamed_answer_has_no_first_token_and_no_phases_of_the_engine()
    {
        var request = TelemetrySamples.OpenAI();
        request.WantsStream = false;

        _gateway.Record(request);

        Assert.Equal([Phase("2", "queue"), Phase("0.0015", "overhead")], _gateway["hazumu.gateway.request.phase"]);
        Assert.DoesNotContain("gen_ai.server.time_to_first_token", _gateway.Names);
        Assert.DoesNotContain("gen_ai.server.time_per_output_token", _gateway.Names);
        Assert.Equal(26, _gateway.Value("gen_ai.client.token.usage", "gen_ai.token.type", "input"));
        Assert.Equal(298, _gateway.Value("gen_ai.client.token.usage", "gen_ai.token.type", "output"));
    }

    [Fact]
    public void A_native_answer_in_one_piece_has_the_engines_phases()
    {
        var request = TelemetrySamples.Native("POST", "/api/generate");
        request.WantsStream = false;

        _gateway.Record(request);

        Assert.Equal(0.5, _gateway.Value("hazumu.gateway.request.phase", "phase", "load"));
        Assert.Equal(0.25, _gateway.Value("hazumu.gateway.request.phase", "phase", "prefill"));
        Assert.Equal(5.94, _gateway.Value("hazumu.gateway.request.phase", "phase", "decode"));
        Assert.DoesNotContain("gen_ai.server.time_to_first_token", _gateway.Names);
        Assert.Equal(9.5, _gateway.Value("gen_ai.server.request.duration", "gen_ai.operation.name", "text_completion"));
    }

    [Theory]
    [InlineData("/api/embed", 6_700_000_000, 500_000_000, 6.2)]
    [InlineData("/v1/embeddings", 0, 0, 0.75)]
    public void Embeddings_are_all_prefill(string path, long total, long load, double prefill)
    {
        var request = TelemetrySamples.OpenAI(path);
        request.WantsStream = false;
        request.Facts.OutputTokens = 0;
        request.Facts.TotalDuration = total;
        request.Facts.LoadDuration = load;

        _gateway.Record(request);

        Assert.Equal(prefill, _gateway.Value("hazumu.gateway.request.phase", "phase", "prefill"), 1e-9);
        Assert.DoesNotContain(_gateway["hazumu.gateway.request.phase"], one => one.Contains("phase=decode", StringComparison.Ordinal));
        Assert.DoesNotContain("gen_ai.server.time_to_first_token", _gateway.Names);
    }

    [Fact]
    public void A_request_that_only_loads_a_model_is_all_load()
    {
        var request = TelemetrySamples.Native("POST", "/api/generate");
        request.IsCold = true;
        request.Facts = new StreamFacts { ResponseModel = "tiny", FinishReason = "load", IsComplete = true };

        _gateway.Record(request);

        Assert.Equal(0.75, _gateway.Value("hazumu.gateway.request.phase", "phase", "load"));
        Assert.Equal(3, _gateway["hazumu.gateway.request.phase"].Count);
        Assert.DoesNotContain("gen_ai.client.token.usage", _gateway.Names);
        Assert.Equal(0, _gateway.Value("gen_ai.client.inference.usage.input_tokens", "gen_ai.token.modality", "unknown"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Time_per_token_needs_two_tokens(long tokens)
    {
        var request = TelemetrySamples.Native();
        request.Facts.OutputTokens = tokens;

        _gateway.Record(request);

        Assert.DoesNotContain("gen_ai.server.time_per_output_token", _gateway.Names);
        Assert.Contains("gen_ai.server.time_to_first_token", _gateway.Names);
    }

    [Fact]
    public void Tokens_are_counted_per_key()
    {
        _gateway.Record(TelemetrySamples.Native());

        Assert.Equal(["26 {key=alice, type=input}", "298 {key=alice, type=output}"], _gateway["hazumu.gateway.key.tokens"]);
        Assert.Equal(["1 {dialect=native, key=alice, operation=chat, outcome=success}"], _gateway["hazumu.gateway.requests"]);
    }

    [Fact]
    public void An_error_in_a_stream_is_a_failure_with_its_type()
    {
        var request = TelemetrySamples.Native();
        request.Outcome = Outcome.StreamError;

        _gateway.Record(request);

        Assert.Equal(["1 {dialect=native, error.type=stream_error, hazumu.instance=ollama, model=tiny:latest, operation=chat}"], _gateway["hazumu.gateway.errors"]);
        Assert.Equal([$"9.5 {{cold=False, error.type=stream_error, {Chat}, {Server}}}"], _gateway["gen_ai.server.request.duration"]);
        Assert.Equal([Phase("2", "queue"), Phase("0.0015", "overhead")], _gateway["hazumu.gateway.request.phase"]);
        Assert.DoesNotContain("gen_ai.server.time_to_first_token", _gateway.Names);
        Assert.DoesNotContain("hazumu.gateway.disconnects", _gateway.Names);
    }

    [Fact]
    public void A_refused_request_has_waited_and_used_no_tokens()
    {
        var request = TelemetrySamples.Asked("POST", "/api/chat", 30.25, Outcome.QueueTimeout, 503);
        request.Model = "tiny:latest";
        request.QueueWait = TelemetrySamples.Ticks(30);

        _gateway.Record(request);

        Assert.Equal(
            ["30.25 {cold=False, error.type=queue_timeout, gen_ai.operation.name=chat, gen_ai.provider.name=_OTHER, gen_ai.request.model=tiny:latest}"],
            _gateway["gen_ai.server.request.duration"]);
        Assert.Equal(
            ["30 {cold=False, model=tiny:latest, phase=queue}", "0.25 {cold=False, model=tiny:latest, phase=overhead}"],
            _gateway["hazumu.gateway.request.phase"]);
        Assert.Equal(["1 {dialect=native, key=anonymous, operation=chat, outcome=queue_timeout}"], _gateway["hazumu.gateway.requests"]);
        Assert.DoesNotContain(_gateway.Names, name => name.Contains("token", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0, 0, "queue")]
    [InlineData(3, 0, "prefill")]
    [InlineData(3, 4, "decode")]
    public void A_disconnect_is_counted_by_its_phase_and_is_no_error(double sent, double firstByte, string phase)
    {
        var request = TelemetrySamples.Asked("POST", "/api/chat", 5, Outcome.ClientDisconnect, 0);
        request.Model = "tiny:latest";
        request.Sent = sent == 0 ? 0 : request.At(sent);
        request.FirstByte = firstByte == 0 ? 0 : request.At(firstByte);

        _gateway.Record(request);

        Assert.Equal([$"1 {{model=tiny:latest, phase={phase}}}"], _gateway["hazumu.gateway.disconnects"]);
        Assert.DoesNotContain("hazumu.gateway.errors", _gateway.Names);
        Assert.DoesNotContain(_gateway["hazumu.gateway.request.phase"], one => one.Contains("overhead", StringComparison.Ordinal));
        Assert.Equal(5, _gateway.Value("gen_ai.server.request.duration", "error.type", "client_disconnect"));
    }

    [Fact]
    public void Retries_are_counted_and_are_not_the_gateways_own_time()
    {
        var request = TelemetrySamples.Native();
        request.Attempts = 3;
        request.QueueWait = TelemetrySamples.Ticks(1.2);
        request.RetryWait = TelemetrySamples.Ticks(0.8);

        _gateway.Record(request);

        Assert.Equal(["2 {hazumu.instance=ollama, model=tiny:latest}"], _gateway["hazumu.gateway.retries"]);
        Assert.Equal(0.0015, _gateway.Value("hazumu.gateway.request.phase", "phase", "overhead"), 1e-9);
    }

    [Fact]
    public void Cached_tokens_are_counted_with_their_request()
    {
        _gateway.Record(TelemetrySamples.Native());

        Assert.Equal([$"6 {{{Chat}, gen_ai.token.modality=unknown, {Server}}}"], _gateway["gen_ai.client.inference.usage.cache_read.input_tokens"]);
        Assert.Equal(["1 {hazumu.instance=ollama, model=tiny:latest}"], _gateway["hazumu.gateway.prompt_cache.hits"]);

        var request = TelemetrySamples.Native();
        request.Facts.CachedTokens = 0;
        _gateway.Record(request);

        Assert.DoesNotContain("hazumu.gateway.prompt_cache.hits", _gateway.Names);
    }

    [Fact]
    public void A_request_that_is_no_inference_is_counted_and_not_timed()
    {
        var request = TelemetrySamples.Asked("POST", "/api/pull", 600, Outcome.Success, 200);
        request.Caller = new Caller("root");
        request.Model = "big";
        request.Instance = "ollama";

        _gateway.Record(request);

        Assert.Equal(["1 {dialect=native, key=root, operation=pull, outcome=success}"], _gateway["hazumu.gateway.requests"]);
        Assert.Equal(["hazumu.gateway.requests"], _gateway.Names);
    }

    [Fact]
    public void An_unknown_model_gets_no_label_of_its_own()
    {
        for (var attempt = 0; attempt < 3; attempt++)
        {
            var request = TelemetrySamples.Native();
            request.Model = $"made-up-{attempt}";
            request.Outcome = Outcome.EngineRefused;
            request.StatusCode = 404;
            request.Facts = default;

            _gateway.Record(request);

            Assert.Equal(9.5, _gateway.Value("gen_ai.server.request.duration", "gen_ai.request.model", "other"));
        }
    }

    [Theory]
    [InlineData(EngineKind.LlamaServer, "llama-server")]
    [InlineData(EngineKind.Vllm, "vllm")]
    [InlineData(EngineKind.Openai, "openai")]
    [InlineData(null, "_OTHER")]
    public void The_provider_is_the_kind_of_the_engine_that_answered(EngineKind? kind, string provider)
    {
        var request = TelemetrySamples.Native();
        request.Engine = kind;

        _gateway.Record(request);

        Assert.Equal(9.5, _gateway.Value("gen_ai.server.request.duration", "gen_ai.provider.name", provider));
    }

    [Fact]
    public void Keys_and_instances_beyond_the_cap_fold_into_one()
    {
        _gateway.Options.MaxKeys = 1;
        _gateway.Options.MaxInstances = 1;
        _gateway.Record(TelemetrySamples.Native());
        var request = TelemetrySamples.Native();
        request.Caller = new Caller("bob");
        request.Instance = "ollama-2";

        _gateway.Record(request);

        Assert.Equal(["26 {key=other, type=input}", "298 {key=other, type=output}"], _gateway["hazumu.gateway.key.tokens"]);
        Assert.Equal(2, _gateway.Value("hazumu.gateway.request.phase", "phase", "queue"));
        Assert.All(_gateway["hazumu.gateway.request.phase"], one => Assert.Contains("hazumu.instance=other", one, StringComparison.Ordinal));
    }

    [Fact]
    public void Requests_in_flight_are_counted_per_dialect()
    {
        var request = TelemetrySamples.OpenAI();
        _gateway.Metrics.Begin(request);
        _gateway.Metrics.Begin(TelemetrySamples.OpenAI());
        _gateway.Metrics.Begin(TelemetrySamples.Native());
        _gateway.Metrics.End(request);

        _gateway.Observe();

        Assert.Equal(["1 {dialect=native}", "1 {dialect=openai}", "0 {dialect=anthropic}"], _gateway["hazumu.gateway.in_flight"]);
    }

    [Fact]
    public void Gauges_show_the_fleet_as_it_is()
    {
        _gateway.Fleet.Instances = 
        [
            new("ollama", IsUp: true, Circuit: 0, "ollama", "0.32.15"),
            new("ollama-2", IsUp: false, Circuit: 2),
            new("gpu-1", IsUp: true, Circuit: 0, "openai"),
        ];
        _gateway.Fleet.Slots = [new("ollama", "tiny:latest", Used: 3, Total: 4)];
        _gateway.Fleet.Queues = [new("tiny:latest", Waiting: 7)];
        _gateway.Fleet.ResidentModels =
        [
            new("ollama", "tiny:latest", SizeBytes: 1000, VramBytes: 1000, _gateway.Time.GetUtcNow().AddSeconds(90)),
            new("ollama", "big:70b", SizeBytes: 5000, VramBytes: 4000, _gateway.Time.GetUtcNow().AddSeconds(-1)),
            new("gpu-1", "qwen:latest", SizeBytes: null, VramBytes: null, ExpiresAt: null, ContextTokens: 40960),
        ];

        _gateway.Observe();

        Assert.Equal(["1 {hazumu.instance=ollama}", "0 {hazumu.instance=ollama-2}", "1 {hazumu.instance=gpu-1}"], _gateway["hazumu.gateway.instance.up"]);
        Assert.Equal(
            ["1 {hazumu.instance=ollama, kind=ollama, version=0.32.15}", "1 {hazumu.instance=gpu-1, kind=openai, version=}"],
            _gateway["hazumu.gateway.engine.info"]);
        Assert.Equal(["40960 {hazumu.instance=gpu-1, model=qwen:latest}"], _gateway["hazumu.gateway.model.context"]);
        Assert.Equal(
            ["0 {hazumu.instance=ollama}", "2 {hazumu.instance=ollama-2}", "0 {hazumu.instance=gpu-1}"],
            _gateway["hazumu.gateway.circuit.state"]);
        Assert.Equal(["4 {hazumu.instance=ollama, model=tiny:latest}"], _gateway["hazumu.gateway.slots"]);
        Assert.Equal(["3 {hazumu.instance=ollama, model=tiny:latest}"], _gateway["hazumu.gateway.slots.used"]);
        Assert.Equal(["7 {model=tiny:latest}"], _gateway["hazumu.gateway.queued"]);
        Assert.Equal(Resident("1000", "5000"), _gateway["hazumu.gateway.model.size"]);
        Assert.Equal(Resident("1000", "4000"), _gateway["hazumu.gateway.model.vram"]);
        Assert.Equal(Resident("90", "0"), _gateway["hazumu.gateway.model.expiry"]);
        Assert.Equal(Resident("0", "1"), _gateway["hazumu.gateway.model.partly_on_cpu"]);
    }

    [Fact]
    public void Gauges_of_what_folds_into_one_label_add_up()
    {
        _gateway.Options.MaxModels = 1;
        _gateway.Fleet.Queues = [new("a:latest", 1), new("b:latest", 20), new("c:latest", 300)];
        _gateway.Fleet.Slots = [new("ollama", "a:latest", 1, 1), new("ollama", "b:latest", 1, 2), new("ollama", "c:latest", 0, 4)];

        _gateway.Observe();

        Assert.Equal(["1 {model=a:latest}", "320 {model=other}"], _gateway["hazumu.gateway.queued"]);
        Assert.Equal(["1 {hazumu.instance=ollama, model=a:latest}", "6 {hazumu.instance=ollama, model=other}"], _gateway["hazumu.gateway.slots"]);
    }

    [Theory]
    [InlineData("gen_ai.server.request.duration", 327.68)]
    [InlineData("gen_ai.server.time_to_first_token", 300)]
    [InlineData("gen_ai.server.time_per_output_token", 0.001)]
    [InlineData("hazumu.gateway.request.phase", 300)]
    public void Histograms_of_time_have_buckets_for_cold_loads_and_fast_models(string name, double boundary)
    {
        var histogram = Assert.IsType<Histogram<double>>(Assert.Single(_gateway.Instruments, instrument => instrument.Name == name));
        var boundaries = histogram.Advice!.HistogramBucketBoundaries!;

        Assert.Equal("s", histogram.Unit);
        Assert.Contains(boundary, boundaries);
        Assert.Equal(boundaries.Order().Distinct(), boundaries);
    }

    private static string[] Resident(string tiny, string big) =>
        [$"{tiny} {{hazumu.instance=ollama, model=tiny:latest}}", $"{big} {{hazumu.instance=ollama, model=big:70b}}"];

    private static string Phase(string seconds, string phase, bool cold = false) =>
        $"{seconds} {{cold={cold}, hazumu.instance=ollama, model=tiny:latest, phase={phase}}}";

    private void AssertInference()
    {
        Assert.Equal([$"9.5 {{cold=False, {Chat}, {Server}}}"], _gateway["gen_ai.server.request.duration"]);
        Assert.Equal([$"2.751 {{cold=False, {Chat}, {Server}}}"], _gateway["gen_ai.server.time_to_first_token"]);
        // 6.7485 s for the 297 tokens after the first.
        Assert.Equal([$"0.022722 {{cold=False, {Chat}, {Server}}}"], _gateway["gen_ai.server.time_per_output_token"]);
        Assert.Equal(
            [$"26 {{{Chat}, gen_ai.token.type=input, {Server}}}", $"298 {{{Chat}, gen_ai.token.type=output, {Server}}}"],
            _gateway["gen_ai.client.token.usage"]);
        Assert.Equal([$"26 {{{Chat}, gen_ai.token.modality=unknown, {Server}}}"], _gateway["gen_ai.client.inference.usage.input_tokens"]);
        Assert.Equal([$"298 {{{Chat}, gen_ai.token.modality=unknown, {Server}}}"], _gateway["gen_ai.client.inference.usage.output_tokens"]);
        Assert.DoesNotContain("hazumu.gateway.errors", _gateway.Names);
        Assert.DoesNotContain("hazumu.gateway.retries", _gateway.Names);
        Assert.DoesNotContain("hazumu.gateway.cold_starts", _gateway.Names);
    }

    private void AssertPhasesByBytes() => Assert.Equal(
        [
            Phase("2", "queue"),
            Phase("0.0015", "overhead"),
            Phase("0.75", "prefill"),
            Phase("6.7485", "decode"),
        ],
        _gateway["hazumu.gateway.request.phase"]);
}
