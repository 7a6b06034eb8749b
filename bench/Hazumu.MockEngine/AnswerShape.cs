using System.Buffers.Text;
using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hazumu.Mocks;

/// <summary>
/// The bytes of an answer of one kind by one model, made once and sent by many streams. The shapes are Ollama's: <c>server/routes.go</c>,
/// <c>openai/openai.go</c>, <c>middleware/openai.go</c>, <c>anthropic/anthropic.go</c> (0.33-rc).
/// </summary>
internal sealed class AnswerShape
{
    /// <summary>Bytes of a time stamp in a token: <c>@</c> and 19 digits.</summary>
    public const int StampLength = 20;

    private static readonly string s_stamp = "@" + new string('0', StampLength - 1);

    private readonly AnswerKind _kind;
    private readonly string _model;
    private readonly byte[] _text;
    private readonly byte[] _first;
    private readonly byte[] _next;
    private readonly int _firstStamp = -1;
    private readonly int _nextStamp = -1;

    public AnswerShape(AnswerKind kind, string model, bool includeUsage, MockEngineOptions options)
    {
        _kind = kind;
        _model = Escape(model);
        IncludeUsage = includeUsage;

        var text = options.TokenText ?? new string('a', Math.Max(0, options.TokenBytes - 1)) + " ";
        if (options.Timestamps)
        {
            text = s_stamp + (text.Length > StampLength ? text[StampLength..] : "");
        }

        text = Escape(text);
        _text = Encoding.UTF8.GetBytes(text);
        _first = Encoding.UTF8.GetBytes(Token(text, isFirst: true, options));
        _next = Encoding.UTF8.GetBytes(Token(text, isFirst: false, options));
        if (options.Timestamps)
        {
            var stamp = Encoding.UTF8.GetBytes(s_stamp);
            _firstStamp = _first.AsSpan().IndexOf(stamp);
            _nextStamp = _next.AsSpan().IndexOf(stamp);
        }
    }

    public bool IncludeUsage { get; }

    public string StreamContentType => _kind is AnswerKind.Chat or AnswerKind.Generate ? "application/x-ndjson" : "text/event-stream";

    /// <summary>Writes one token; the first one of a stream with what has to be before it.</summary>
    public void WriteToken(MockAnswer answer, bool isFirst)
    {
        var (bytes, stamp) = isFirst ? (_first, _firstStamp) : (_next, _nextStamp);
        if (stamp < 0)
        {
            answer.Write(bytes);
            return;
        }

        Span<byte> stamped = stackalloc byte[1024];
        if (bytes.Length > stamped.Length)
        {
            stamped = new byte[bytes.Length];
        }

        bytes.CopyTo(stamped);
        Utf8Formatter.TryFormat(Stopwatch.GetTimestamp(), stamped[(stamp + 1)..], out _, new('D', StampLength - 1));
        answer.Write(stamped[..bytes.Length]);
    }

    /// <summary>Writes what ends a stream.</summary>
    public void WriteEnd(MockAnswer answer, in AnswerFacts facts)
    {
        var usage = OpenAIUsage(facts);
        switch (_kind)
        {
            case AnswerKind.Chat:
            case AnswerKind.Generate:
                var content = _kind == AnswerKind.Chat
                    ? """
                      "message":{"role":"assistant","content":""}
                      """
                    : """
                      "response":""
                      """;
                answer.Write($$"""
                    {"model":"{{_model}}","created_at":"{{Now()}}",{{content}},{{Metrics(facts)}}}

                    """);
                break;
            case AnswerKind.OpenAIChat:
                answer.Write(Event($$"""{{OpenAIChatHead()}}"choices":[{"index":0,"delta":{},"finish_reason":"{{facts.DoneReason}}"}]}"""));
                if (IncludeUsage)
                {
                    answer.Write(Event($$"""{{OpenAIChatHead()}}"choices":[],"usage":{{usage}}}"""));
                }

                answer.Write("data: [DONE]\n\n");
                break;
            case AnswerKind.OpenAICompletion:
                answer.Write(Event(OpenAICompletion("", facts.DoneReason)));
                if (IncludeUsage)
                {
                    answer.Write(Event(
                        $$"""{{OpenAICompletionHead()}}"choices":[],"model":"{{_model}}","system_fingerprint":"fp_ollama","usage":{{usage}}}"""));
                }

                answer.Write("data: [DONE]\n\n");
                break;
            case AnswerKind.AnthropicMessages:
                answer.Write(Event("content_block_stop", """{"type":"content_block_stop","index":0}"""));
                answer.Write(Event("message_delta", $$$"""
                    {"type":"message_delta","delta":{"stop_reason":"{{{StopReason(facts)}}}"},"usage":{"input_tokens":{{{facts.PromptTokens}}},"output_tokens":{{{facts.Tokens}}}}}
                    """));
                answer.Write(Event("message_stop", """{"type":"message_stop"}"""));
                break;
        }
    }

    /// <summary>Writes an error into a stream that has begun.</summary>
    public void WriteErrorInStream(MockAnswer answer, string message) => answer.Write(_kind switch
    {
        AnswerKind.Chat or AnswerKind.Generate => $$"""
            {"error":"{{Escape(message)}}"}

            """,
        AnswerKind.AnthropicMessages => Event("error", Errors.Document(_kind, 500, message)),
        _ => Event(Errors.Document(_kind, 500, message)),
    });

    /// <summary>The whole answer that is not streamed.</summary>
    public byte[] Single(in AnswerFacts facts)
    {
        var text = Encoding.UTF8.GetString(_text);
        var content = facts.Tokens == 1 ? text : new StringBuilder().Insert(0, text, facts.Tokens).ToString();
        return Encoding.UTF8.GetBytes(_kind switch
        {
            AnswerKind.Chat => $$"""
                {"model":"{{_model}}","created_at":"{{Now()}}","message":{"role":"assistant","content":"{{content}}"},{{Metrics(facts)}}}
                """,
            AnswerKind.Generate => $$"""
                {"model":"{{_model}}","created_at":"{{Now()}}","response":"{{content}}",{{Metrics(facts)}}}
                """,
            AnswerKind.OpenAIChat => $$"""
                {"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"{{_model}}","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"{{content}}"},"finish_reason":"{{facts.DoneReason}}"}],"usage":{{OpenAIUsage(facts)}}}

                """,
            AnswerKind.OpenAICompletion => $$"""
                {{OpenAICompletionHead()}}"choices":[{"text":"{{content}}","index":0,"finish_reason":"{{facts.DoneReason}}"}],"model":"{{_model}}","system_fingerprint":"fp_ollama","usage":{{OpenAIUsage(facts)}}}

                """,
            _ => $$$"""
                {"id":"msg_1","type":"message","role":"assistant","model":"{{{_model}}}","content":[{"type":"text","text":"{{{content}}}"}],"stop_reason":"{{{StopReason(facts)}}}","usage":{"input_tokens":{{{facts.PromptTokens}}},"output_tokens":{{{facts.Tokens}}}}}

                """,
        });
    }

    /// <summary>The one object of an engine that only loaded (<c>load</c>) or unloaded (<c>unload</c>) a model.</summary>
    public static string Loaded(AnswerKind kind, string model, string reason) => kind == AnswerKind.Chat
        ? $$"""{"model":"{{Escape(model)}}","created_at":"{{Now()}}","message":{"role":"assistant","content":""},"done":true,"done_reason":"{{reason}}"}"""
        : $$"""{"model":"{{Escape(model)}}","created_at":"{{Now()}}","response":"","done":true,"done_reason":"{{reason}}"}""";

    internal static string Escape(string text) => JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).Value;

    internal static string Now() => DateTime.UtcNow.ToString("O");

    private static string Event(string data) => $"data: {data}\n\n";

    private static string Event(string name, string data) => $"event: {name}\ndata: {data}\n\n";

    private static string StopReason(in AnswerFacts facts) => facts.DoneReason == "length" ? "max_tokens" : "end_turn";

    private static string OpenAIUsage(in AnswerFacts facts) =>
        $$"""{"prompt_tokens":{{facts.PromptTokens}},"completion_tokens":{{facts.Tokens}},"total_tokens":{{facts.PromptTokens + facts.Tokens}}}""";

    /// <summary>The members of the last object, without those that are zero.</summary>
    private static string Metrics(in AnswerFacts facts)
    {
        var json = new StringBuilder($"\"done\":true,\"done_reason\":\"{facts.DoneReason}\"");
        Add("total_duration", Nanoseconds(facts.Total));
        Add("load_duration", Nanoseconds(facts.Load));
        Add("prompt_eval_count", facts.PromptTokens);
        Add("prompt_eval_cached_count", facts.CachedTokens);
        Add("prompt_eval_duration", Nanoseconds(facts.Prefill));
        Add("eval_count", facts.Tokens);
        Add("eval_duration", Nanoseconds(facts.Decode));
        return json.ToString();

        void Add(string name, long value)
        {
            if (value != 0)
            {
                json.Append(",\"").Append(name).Append("\":").Append(value);
            }
        }

        static long Nanoseconds(TimeSpan time) => time.Ticks * 100;
    }

    private string Token(string text, bool isFirst, MockEngineOptions options) => _kind switch
    {
        AnswerKind.Chat => $$"""
            {"model":"{{_model}}","created_at":"{{Now()}}","message":{"role":"assistant","content":"{{text}}"},"done":false}

            """,
        AnswerKind.Generate => $$"""
            {"model":"{{_model}}","created_at":"{{Now()}}","response":"{{text}}","done":false}

            """,
        AnswerKind.OpenAIChat => Event(
            $$"""{{OpenAIChatHead()}}"choices":[{"index":0,"delta":{{{(isFirst ? "\"role\":\"assistant\"," : "")}}"content":"{{text}}"},"finish_reason":null}]}"""),
        AnswerKind.OpenAICompletion => Event(OpenAICompletion(text, null)),
        _ => (isFirst ? AnthropicStart(options) : "") + Event("content_block_delta",
            $$$"""{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"{{{text}}}"}}"""),
    };

    private string AnthropicStart(MockEngineOptions options) =>
        Event("message_start", $$$$"""
            {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"{{{{_model}}}}","content":[],"usage":{"input_tokens":{{{{options.PromptTokens}}}},"output_tokens":0}}}
            """) +
        Event("content_block_start", """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""");

    private string OpenAIChatHead() =>
        $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"{{_model}}","system_fingerprint":"fp_ollama",""";

    private static string OpenAICompletionHead() => """{"id":"cmpl-1","object":"text_completion","created":1767225600,""";

    private string OpenAICompletion(string text, string? reason)
    {
        // Asked for usage, Ollama puts an empty one into every chunk of a completion, though not of a chat.
        var usage = IncludeUsage ? ""","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""" : "";
        return $$"""{{OpenAICompletionHead()}}"choices":[{"text":"{{text}}","index":0,"finish_reason":{{(reason is null ? "null" : $"\"{reason}\"")}}}],"model":"{{_model}}","system_fingerprint":"fp_ollama"{{usage}}}""";
    }
}
