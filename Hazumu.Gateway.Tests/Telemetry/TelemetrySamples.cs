using System.Diagnostics;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>Requests that are over, made by hand. Times are seconds after a request's start.</summary>
internal static class TelemetrySamples
{
    /// <summary>A streamed native chat: 2 s in the queue, then what the engine tells, over after 10 s.</summary>
    public static GatewayRequest Native(string method = "POST", string path = "/api/chat") => Streamed(method, path, (ref StreamFacts facts) =>
    {
        facts.InputTokens = 26;
        facts.CachedTokens = 6;
        facts.OutputTokens = 298;
        facts.HasUsage = true;
        facts.LoadDuration = 500_000_000;
        facts.PromptEvalDuration = 250_000_000;
        facts.EvalDuration = 5_940_000_000;
        facts.TotalDuration = 6_700_000_000;
        facts.ResponseModel = "tiny";
        facts.FinishReason = "stop";
        facts.IsComplete = true;
    });

    /// <summary>The same in OpenAI's dialect, which tells no durations.</summary>
    public static GatewayRequest OpenAI(string path = "/v1/chat/completions") => Streamed("POST", path, Usage);

    /// <summary>The same in Anthropic's.</summary>
    public static GatewayRequest Anthropic() => Streamed("POST", "/v1/messages", Usage);

    /// <summary>A request that went no further than its operation.</summary>
    public static GatewayRequest Asked(string method, string path, double ended, Outcome outcome, int status, string id = "")
    {
        var request = new GatewayRequest { Operation = OperationTable.Match(method, path), Id = id, Outcome = outcome, StatusCode = status };
        request.Ended = request.At(ended);
        return request;
    }

    /// <summary>The timestamp so many seconds after the start.</summary>
    public static long At(this GatewayRequest request, double seconds) => request.Started + Ticks(seconds);

    public static long Ticks(double seconds) => (long)Math.Round(seconds * Stopwatch.Frequency);

    private delegate void Fill(ref StreamFacts facts);

    private static void Usage(ref StreamFacts facts)
    {
        facts.InputTokens = 26;
        facts.CachedTokens = 6;
        facts.OutputTokens = 298;
        facts.HasUsage = true;
        facts.ResponseModel = "tiny";
        facts.FinishReason = "stop";
        facts.IsComplete = true;
    }

    private static GatewayRequest Streamed(string method, string path, Fill fill)
    {
        var request = Asked(method, path, 10, Outcome.Success, 200, "req-1");
        request.Caller = new Caller("alice");
        request.Model = "tiny";
        request.WantsStream = true;
        request.Instance = "ollama";
        request.Engine = EngineKind.Ollama;
        request.Attempts = 1;
        request.QueuePosition = 3;
        request.BodyWait = Ticks(0.5);
        request.QueueWait = Ticks(2);
        request.Sent = request.At(2.501);
        request.HeadersReceived = request.At(3.251);
        request.FirstByte = request.At(3.251);
        request.LastByte = request.At(9.9995);
        request.RequestBytes = 120;
        request.ResponseBytes = 34_567;
        request.Chunks = 299;
        fill(ref request.Facts);
        return request;
    }
}
