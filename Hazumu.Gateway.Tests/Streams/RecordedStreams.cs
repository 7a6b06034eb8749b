using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>
/// Answers in the shapes of Ollama 0.32 (its <c>server/routes.go</c>, <c>api/types.go</c>, <c>openai/</c>, <c>anthropic/</c>) and of
/// llama.cpp's server (its <c>tools/server/server-task.cpp</c>). Names that a tap looks for are in them where they mean something else.
/// </summary>
internal static class RecordedStreams
{
    private const string Lines = "application/x-ndjson";
    private const string Events = "text/event-stream";
    private const string Document = "application/json; charset=utf-8";

    public static RecordedStream NativeChat { get; } = new("native chat, with thinking and a tool call", Lines, Dialect.Native, """
        {"model":"qwen3:8b","created_at":"2026-08-20T10:00:00.000000001Z","message":{"role":"assistant","content":"","thinking":"\"done\":true? \u003cno\u003e"},"done":false}
        {"model":"qwen3:8b","created_at":"2026-08-20T10:00:00.000000002Z","message":{"role":"assistant","content":"弾む 🏀 \ud83c\udfc0 {\"eval_count\":1,\"error\":\"x\"}"},"done":false}
        {"model":"qwen3:8b","created_at":"2026-08-20T10:00:00.000000003Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"call_1","function":{"index":0,"name":"report","arguments":{"done":true,"error":"no","usage":{"prompt_tokens":9},"eval_count":99,"done_reason":"x","list":[1,[2,{"model":"m"}]],"quote":"\\\""}}}]},"done":false}
        {"model":"qwen3:8b","created_at":"2026-08-20T10:00:01.5Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":1500000001,"load_duration":200000002,"prompt_eval_count":26,"prompt_eval_cached_count":20,"prompt_eval_duration":300000003,"eval_count":298,"eval_duration":900000004}

        """, new()
    {
        Events = 4,
        ResponseModel = "qwen3:8b",
        FinishReason = "stop",
        InputTokens = 26,
        CachedTokens = 20,
        OutputTokens = 298,
        HasUsage = true,
        TotalDuration = 1500000001,
        LoadDuration = 200000002,
        PromptEvalDuration = 300000003,
        EvalDuration = 900000004,
        IsComplete = true,
    });

    public static RecordedStream NativeGenerate { get; } = new("native generate, with a context", Lines, Dialect.Native, """
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","response":"The","done":false}
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","response":" sky\\","done":false}
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","response":"\"done\", she\\","done":true,"done_reason":"length","context":[128006,882,128007,271,-1,2.5e3],"total_duration":5,"prompt_eval_count":26,"prompt_eval_duration":3,"eval_count":2,"eval_duration":4}

        """, new()
    {
        Events = 3,
        ResponseModel = "llama3.2",
        FinishReason = "length",
        InputTokens = 26,
        OutputTokens = 2,
        HasUsage = true,
        TotalDuration = 5,
        PromptEvalDuration = 3,
        EvalDuration = 4,
        IsComplete = true,
    });

    public static RecordedStream NativeError { get; } = new("native chat that fails in the middle", Lines, Dialect.Native, """
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","message":{"role":"assistant","content":"The"},"done":false}
        {"error":"an error was encountered while running the model: unexpected EOF"}

        """, new() { Events = 2, ResponseModel = "llama3.2", HasError = true });

    public static RecordedStream NativeBroken { get; } = new("native chat that breaks off", Lines, Dialect.Native, """
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","message":{"role":"assistant","content":"The"},"done":false}
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","message":{"role":"assistant","content":""},"done":true,"eval_count
        """, new() { Events = 1, ResponseModel = "llama3.2" });

    public static RecordedStream NativeUnended { get; } = new("native chat without its last line feed", Lines, Dialect.Native, """
        {"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":7}
        """, new() { Events = 1, ResponseModel = "llama3.2", FinishReason = "stop", OutputTokens = 7, HasUsage = true, IsComplete = true });

    public static RecordedStream NativePull { get; } = new("native pull", Lines, Dialect.Native, """
        {"status":"pulling manifest"}
        {"status":"pulling dde5aa3fc5ff","digest":"sha256:dde5aa3fc5ff","total":2019377376,"completed":1048576}
        {"status":"success"}

        """, new() { Events = 3, IsComplete = true });

    public static RecordedStream NativeLoad { get; } = new("native load, one document", Document, Dialect.Native, """
        {"model":"llama3.2","created_at":"2026-08-20T10:00:00Z","response":"","done":true,"done_reason":"load"}
        """, new() { Events = 1, ResponseModel = "llama3.2", FinishReason = "load", IsComplete = true });

    public static RecordedStream NativeEmbed { get; } = new("native embed, one document", Document, Dialect.Native, """
        {"model":"all-minilm","embeddings":[[0.010071029,-0.0017594862,5.0e-05],[1,2]],"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8}
        """, new()
    {
        Events = 1,
        ResponseModel = "all-minilm",
        InputTokens = 8,
        HasUsage = true,
        TotalDuration = 14143917,
        LoadDuration = 1019500,
        IsComplete = true,
    });

    public static RecordedStream NativeRefusal { get; } = new("native refusal, one document", Document, Dialect.Native, """
        {"error":"model 'nope' not found"}
        """, new() { Events = 1, HasError = true, IsComplete = true });

    public static RecordedStream OpenAIChat { get; } = new("OpenAI chat of Ollama, with usage", Events, Dialect.OpenAI, """
        data: {"id":"chatcmpl-405","object":"chat.completion.chunk","created":1787220000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"\"usage\":{\"prompt_tokens\":5}"},"finish_reason":null}]}

        data: {"id":"chatcmpl-405","object":"chat.completion.chunk","created":1787220000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":"弾む 🏀"},"finish_reason":null,"logprobs":{"content":[{"token":"finish_reason","logprob":-0.5,"bytes":[1,2]}]}}]}

        data: {"id":"chatcmpl-405","object":"chat.completion.chunk","created":1787220000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"content":"","tool_calls":[{"id":"call_1","index":0,"type":"function","function":{"name":"report","arguments":"{\"error\":\"x\",\"usage\":{\"completion_tokens\":7},\"finish_reason\":\"y\"}"}}]},"finish_reason":null}]}

        data: {"id":"chatcmpl-405","object":"chat.completion.chunk","created":1787220000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

        data: {"id":"chatcmpl-405","object":"chat.completion.chunk","created":1787220000,"model":"qwen3:8b","system_fingerprint":"fp_ollama","choices":[],"usage":{"prompt_tokens":26,"completion_tokens":298,"total_tokens":324}}

        data: [DONE]


        """, Whole(6, "qwen3:8b", "tool_calls", input: 26, output: 298));

    public static RecordedStream OpenAICompletion { get; } = new("OpenAI completion of Ollama, with zeros in every chunk", Events, Dialect.OpenAI, """
        data: {"id":"cmpl-7","object":"text_completion","created":1787220000,"choices":[{"text":"The","index":0,"finish_reason":null}],"model":"llama3.2","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}

        data: {"id":"cmpl-7","object":"text_completion","created":1787220000,"choices":[{"text":" \"usage\":{} ","index":0,"finish_reason":null}],"model":"llama3.2","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}

        data: {"id":"cmpl-7","object":"text_completion","created":1787220000,"choices":[{"text":"","index":0,"finish_reason":"stop"}],"model":"llama3.2","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}

        data: {"id":"cmpl-7","object":"text_completion","created":1787220000,"choices":[],"model":"llama3.2","system_fingerprint":"fp_ollama","usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13}}

        data: [DONE]


        """, Whole(5, "llama3.2", "stop", input: 11, output: 2));

    public static RecordedStream OpenAILlamaCpp { get; } = new("OpenAI chat of llama.cpp, with usage and timings", Events, Dialect.OpenAI, """
        data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1787220000,"id":"chatcmpl-a","model":"gpt-oss","system_fingerprint":"b7001-abc","object":"chat.completion.chunk"}

        data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1787220000,"id":"chatcmpl-a","model":"gpt-oss","system_fingerprint":"b7001-abc","object":"chat.completion.chunk"}

        data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1787220000,"id":"chatcmpl-a","model":"gpt-oss","system_fingerprint":"b7001-abc","object":"chat.completion.chunk"}

        data: {"choices":[],"created":1787220000,"id":"chatcmpl-a","model":"gpt-oss","system_fingerprint":"b7001-abc","object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":77,"total_tokens":79,"prompt_tokens_details":{"cached_tokens":76}},"timings":{"cache_n":76,"prompt_n":1,"prompt_ms":30.958,"predicted_n":2,"predicted_ms":661.064}}

        data: [DONE]


        """, Whole(5, "gpt-oss", "length", input: 77, output: 2, cached: 76));

    public static RecordedStream OpenAILlamaCppError { get; } = new("OpenAI chat of llama.cpp that fails in the middle", Events, Dialect.OpenAI, """
        data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1787220000,"id":"chatcmpl-a","model":"gpt-oss","object":"chat.completion.chunk"}

        data: {"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}


        """, new() { Events = 2, ResponseModel = "gpt-oss", HasError = true });

    public static RecordedStream OpenAILlamaCppCompletion { get; } = new("OpenAI completion of llama.cpp, with its usage in the last chunk", Events, Dialect.OpenAI, """
        data: {"choices":[{"text":"The","index":0,"logprobs":null,"finish_reason":null}],"created":1787220000,"model":"gpt-oss","system_fingerprint":"b7001-abc","object":"text_completion","id":"chatcmpl-a"}

        data: {"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"created":1787220000,"model":"gpt-oss","system_fingerprint":"b7001-abc","object":"text_completion","usage":{"completion_tokens":2,"prompt_tokens":4,"total_tokens":6},"id":"chatcmpl-a","timings":{"prompt_n":4}}

        data: [DONE]


        """, Whole(3, "gpt-oss", "stop", input: 4, output: 2));

    public static RecordedStream OpenAIResponses { get; } = new("OpenAI responses of Ollama", Events, Dialect.OpenAI, """
        event: response.created
        data: {"response":{"background":false,"error":null,"id":"resp_1","instructions":null,"model":"qwen3:8b","object":"response","output":[],"status":"in_progress","text":{"format":{"type":"text"}},"usage":null},"sequence_number":0,"type":"response.created"}

        event: response.output_text.delta
        data: {"content_index":0,"delta":"弾む \"error\"","item_id":"msg_1","logprobs":[],"output_index":0,"sequence_number":1,"type":"response.output_text.delta"}

        event: response.output_item.done
        data: {"item":{"content":[{"type":"error","text":"x"}],"error":{"model":"y"},"type":"message"},"output_index":0,"sequence_number":2,"type":"response.output_item.done"}

        event: response.completed
        data: {"response":{"error":null,"id":"resp_1","model":"qwen3:8b","output":[{"error":"x","usage":{"input_tokens":1}}],"usage":{"input_tokens":31,"input_tokens_details":{"cached_tokens":30},"output_tokens":14,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":45}},"sequence_number":3,"type":"response.completed"}


        """, new()
    {
        Events = 4,
        ResponseModel = "qwen3:8b",
        InputTokens = 31,
        CachedTokens = 30,
        OutputTokens = 14,
        HasUsage = true,
        IsComplete = true,
    });

    public static RecordedStream OpenAIResponsesFailed { get; } = new("OpenAI responses that fail", Events, Dialect.OpenAI, """
        event: response.failed
        data: {"response":{"error":{"code":"server_error","message":"x"},"model":"qwen3:8b","status":"failed"},"sequence_number":1,"type":"response.failed"}


        """, new() { Events = 1, ResponseModel = "qwen3:8b", HasError = true, IsComplete = true });

    public static RecordedStream OpenAIDocument { get; } = new("OpenAI chat, one document", Document, Dialect.OpenAI, """
        {"id":"chatcmpl-1","object":"chat.completion","created":1787220000,"model":"hf.co\/someone\/Model:Q4_K_M","system_fingerprint":"fp_ollama","choices":[{"index":0,"message":{"role":"assistant","content":"x","tool_calls":[{"function":{"arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":26,"completion_tokens":298,"total_tokens":324}}

        """, Whole(1, "hf.co/someone/Model:Q4_K_M", "stop", input: 26, output: 298));

    public static RecordedStream OpenAIEmbeddings { get; } = new("OpenAI embeddings, one document", Document, Dialect.OpenAI, """
        {"object":"list","data":[{"object":"embedding","embedding":[-0.1,0.2],"index":0,"usage":{"prompt_tokens":1}}],"model":"all-minilm","usage":{"prompt_tokens":8,"total_tokens":8}}
        """, new() { Events = 1, ResponseModel = "all-minilm", InputTokens = 8, HasUsage = true, IsComplete = true });

    public static RecordedStream OpenAIRefusal { get; } = new("OpenAI refusal, one document", Document, Dialect.OpenAI, """
        {"error":{"message":"model 'nope' not found","type":"not_found_error","param":null,"code":null}}
        """, new() { Events = 1, HasError = true, IsComplete = true });

    public static RecordedStream AnthropicMessages { get; } = new("Anthropic messages of Ollama", Events, Dialect.Anthropic, """
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"qwen3:8b","content":[],"usage":{"input_tokens":19,"output_tokens":0}}}

        event: ping
        data: {"type":"ping"}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\"type\":\"error\""}}

        event: content_block_start
        data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"call_1","name":"report","input":{"error":"x","stop_reason":"y"}}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"usage\":{\"output_tokens\":5},\"x\":\"🏀\"}"}}

        event: content_block_stop
        data: {"type":"content_block_stop","index":1}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"input_tokens":26,"output_tokens":298}}

        event: message_stop
        data: {"type":"message_stop"}


        """, Whole(9, "qwen3:8b", "tool_use", input: 26, output: 298));

    public static RecordedStream AnthropicLlamaCpp { get; } = new("Anthropic messages of llama.cpp, with a cache", Events, Dialect.Anthropic, """
        event: message_start
        data: {"type":"message_start","message":{"id":"chatcmpl-a","type":"message","role":"assistant","content":[],"model":"gpt-oss","stop_reason":null,"stop_sequence":null,"usage":{"cache_read_input_tokens":70,"cache_creation_input_tokens":2,"input_tokens":7,"output_tokens":0}}}

        event: content_block_delta
        data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":12}}

        event: message_stop
        data: {"type":"message_stop"}


        """, Whole(4, "gpt-oss", "end_turn", input: 79, output: 12, cached: 70));

    public static RecordedStream AnthropicError { get; } = new("Anthropic messages that fail in the middle", Events, Dialect.Anthropic, """
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_1","type":"message","model":"qwen3:8b","content":[],"usage":{"input_tokens":19,"output_tokens":0}}}

        event: error
        data: {"type":"error","error":{"type":"overloaded_error","message":"x"}}


        """, new() { Events = 2, ResponseModel = "qwen3:8b", InputTokens = 19, HasUsage = true, HasError = true });

    public static RecordedStream AnthropicNames { get; } = new("events that only their names tell apart", Events, Dialect.Anthropic, """
        event: ping
        data: {}

        event: error

        event: message_stop
        data: {}


        """, new() { Events = 2, IsComplete = true });

    public static RecordedStream AnthropicDocument { get; } = new("Anthropic message, one document", Document, Dialect.Anthropic, """
        {"id":"msg_1","type":"message","role":"assistant","model":"qwen3:8b","content":[{"type":"text","text":"\"usage\""}],"stop_reason":"max_tokens","usage":{"input_tokens":26,"output_tokens":298}}

        """, Whole(1, "qwen3:8b", "max_tokens", input: 26, output: 298));

    /// <summary>Legal events that no engine of today sends so: CRLF and CR, comments, several lines of data, fields without data.</summary>
    public static RecordedStream OddEvents { get; } = new("events in every legal form", Events, Dialect.OpenAI,
        ": hello\r\n\r\n" +
        "retry: 5\r\nid: 1\r\nevent: nothing\r\n\r\n" +
        "data:{\"model\":\"m\",\r\ndata: \"choices\":[\r\ndata\r\ndata:{\"finish_reason\":\"stop\"}]\r\ndata: }\r\n\r\n" +
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1\rdata: ,\"completion_tokens\":2}}\r\r" +
        "data: [DONE]\r\n\r\n",
        new() { Events = 3, ResponseModel = "m", FinishReason = "stop", InputTokens = 1, OutputTokens = 2, HasUsage = true, IsComplete = true });

    /// <summary>An answer that is nothing a tap reads.</summary>
    public static RecordedStream Plain { get; } = new("plain text", "text/plain", Dialect.OpenAI, """
        {"error":"not looked at"}
        """, new() { IsComplete = true });

    public static IReadOnlyList<RecordedStream> All { get; } =
    [
        NativeChat, NativeGenerate, NativeError, NativeBroken, NativeUnended, NativePull, NativeLoad, NativeEmbed, NativeRefusal,
        OpenAIChat, OpenAICompletion, OpenAILlamaCpp, OpenAILlamaCppError, OpenAILlamaCppCompletion, OpenAIResponses, OpenAIResponsesFailed,
        OpenAIDocument, OpenAIEmbeddings, OpenAIRefusal,
        AnthropicMessages, AnthropicLlamaCpp, AnthropicError, AnthropicNames, AnthropicDocument, OddEvents, Plain,
    ];

    // What is told of an answer that came to its end.
    private static StreamFacts Whole(int events, string model, string finish, int input, int output, int cached = 0) => new()
    {
        Events = events,
        ResponseModel = model,
        FinishReason = finish,
        InputTokens = input,
        CachedTokens = cached,
        OutputTokens = output,
        HasUsage = true,
        IsComplete = true,
    };
}
