using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Telemetry;

/// <summary>Names and values of attributes, in metrics and traces alike.</summary>
/// <remarks>
/// What begins with <c>gen_ai</c>, <c>error</c> or <c>server</c>: https://github.com/open-telemetry/semantic-conventions-genai.
/// An instance is <c>hazumu.instance</c>, since Prometheus gives the label <c>instance</c> to what it scrapes.
/// </remarks>
internal static class Attributes
{
    public const string OperationName = "gen_ai.operation.name";
    public const string ProviderName = "gen_ai.provider.name";
    public const string RequestModel = "gen_ai.request.model";
    public const string ResponseModel = "gen_ai.response.model";
    public const string FinishReasons = "gen_ai.response.finish_reasons";
    public const string TimeToFirstChunk = "gen_ai.response.time_to_first_chunk";
    public const string InputTokens = "gen_ai.usage.input_tokens";
    public const string OutputTokens = "gen_ai.usage.output_tokens";
    public const string CachedTokens = "gen_ai.usage.cache_read.input_tokens";
    public const string TokenType = "gen_ai.token.type";
    public const string TokenModality = "gen_ai.token.modality";
    public const string ErrorType = "error.type";

    public const string Instance = "hazumu.instance";
    public const string Kind = "kind";
    public const string Version = "version";
    public const string Model = "model";
    public const string Phase = "phase";
    public const string Cold = "cold";
    public const string Key = "key";
    public const string Budget = "budget";
    public const string Shadow = "shadow";
    public const string Type = "type";
    public const string Operation = "operation";
    public const string Dialect = "dialect";
    public const string Outcome = "outcome";
    public const string Name = "name";
    public const string Reason = "reason";

    /// <summary>The provider of a request that no engine answered, or one that has not been detected yet.</summary>
    public const string OtherProvider = "_OTHER";

    public const string Input = "input";
    public const string Output = "output";

    /// <summary>Engines count tokens of text and of images together.</summary>
    public const string UnknownModality = "unknown";

    public const string Queue = "queue";
    public const string Load = "load";
    public const string Prefill = "prefill";
    public const string Decode = "decode";
    public const string Overhead = "overhead";

    public static readonly object True = true;
    public static readonly object False = false;

    private static readonly string[] s_outcomes = [.. Enum.GetNames<Outcome>().Select(System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    private static readonly string[] s_fallbacks =
        [.. Enum.GetNames<FallbackReason>().Select(name => name.ToLowerInvariant())];

    private static readonly string[] s_providers = [.. Enum.GetValues<EngineKind>().Select(kind => SettingsReader.NameOf(kind))];

    private static readonly string[] s_dialects = [.. Enum.GetNames<Dialect>().Select(name => name.ToLowerInvariant())];

    /// <summary>The longest name of a model that is exported as the client wrote it.</summary>
    public const int LongestModel = 128;

    /// <summary>The name of an outcome: <c>success</c>, <c>queue_full</c>.</summary>
    public static string NameOf(Outcome outcome) => s_outcomes[(int)outcome];

    /// <summary>
    /// The provider of a request's answer: the kind of its engine, as in <c>hazumu_gateway_engine_info</c>. The conventions list providers such as
    /// <c>openai</c>, and allow other values for those that they do not list.
    /// </summary>
    public static string ProviderOf(GatewayRequest request) => request.Engine is { } kind ? s_providers[(int)kind] : OtherProvider;

    /// <summary>The name of a reason: <c>none</c>, <c>queue</c>.</summary>
    public static string NameOf(FallbackReason reason) => s_fallbacks[(int)reason];

    /// <summary>The name of a dialect: <c>native</c>, <c>openai</c>, <c>anthropic</c>.</summary>
    public static string NameOf(Dialect dialect) => s_dialects[(int)dialect];
}
