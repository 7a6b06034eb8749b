namespace Hazumu.Gateway.Streams;

/// <summary>A member of an engine's answer that a tap knows, under whatever name its dialect gives it.</summary>
internal enum JsonField : byte
{
    /// <summary>A member that is not wanted: it is passed over.</summary>
    None,

    /// <summary><c>model</c>.</summary>
    Model,

    /// <summary><c>done</c>, native.</summary>
    Done,

    /// <summary><c>status</c>, the native progress of a pull.</summary>
    Status,

    /// <summary><c>error</c>.</summary>
    Error,

    /// <summary><c>type</c>: the name of an event, inside it.</summary>
    Type,

    /// <summary><c>done_reason</c>, <c>finish_reason</c> of a choice, <c>stop_reason</c>.</summary>
    FinishReason,

    /// <summary><c>total_duration</c>.</summary>
    TotalDuration,

    /// <summary><c>load_duration</c>.</summary>
    LoadDuration,

    /// <summary><c>prompt_eval_duration</c>.</summary>
    PromptEvalDuration,

    /// <summary><c>eval_duration</c>.</summary>
    EvalDuration,

    /// <summary><c>prompt_eval_count</c>, <c>prompt_tokens</c>, <c>input_tokens</c>.</summary>
    InputTokens,

    /// <summary><c>eval_count</c>, <c>completion_tokens</c>, <c>output_tokens</c>.</summary>
    OutputTokens,

    /// <summary><c>prompt_eval_cached_count</c>, <c>cached_tokens</c>: a part of the input tokens.</summary>
    CachedTokens,

    /// <summary><c>cache_read_input_tokens</c>, Anthropic: beside the input tokens, not in them.</summary>
    CacheReadTokens,

    /// <summary><c>cache_creation_input_tokens</c>, Anthropic: beside the input tokens, not in them.</summary>
    CacheWriteTokens,

    /// <summary>The object <c>usage</c>.</summary>
    Usage,

    /// <summary>The objects <c>prompt_tokens_details</c> and <c>input_tokens_details</c> of a usage.</summary>
    UsageDetails,

    /// <summary>The array <c>choices</c>, OpenAI.</summary>
    Choices,

    /// <summary>An element of <c>choices</c>.</summary>
    Choice,

    /// <summary>The object <c>message</c> of Anthropic's <c>message_start</c>.</summary>
    Message,

    /// <summary>The object <c>delta</c> of Anthropic's <c>message_delta</c>.</summary>
    Delta,

    /// <summary>The object <c>response</c> of OpenAI's <c>response.completed</c>.</summary>
    Response,
}

/// <summary>The kind of a member's value.</summary>
internal enum JsonKind : byte
{
    /// <summary>A string.</summary>
    Text,

    /// <summary>A whole number that is not negative; a fraction is cut off.</summary>
    Number,

    /// <summary><c>true</c>.</summary>
    True,

    /// <summary><c>false</c>.</summary>
    False,

    /// <summary><c>null</c>.</summary>
    Null,

    /// <summary>An object.</summary>
    Object,

    /// <summary>An array.</summary>
    Array,

    /// <summary>The empty array.</summary>
    EmptyArray,
}

/// <summary>A set of <see cref="JsonField"/>.</summary>
internal readonly struct JsonFields
{
    private readonly uint _bits;

    private JsonFields(uint bits) => _bits = bits;

    /// <summary>The set of these fields.</summary>
    public static JsonFields Of(params ReadOnlySpan<JsonField> fields)
    {
        var bits = 0u;
        foreach (var field in fields)
        {
            bits |= 1u << (int)field;
        }

        return new(bits);
    }

    /// <summary>Whether a field is in the set.</summary>
    public bool Has(JsonField field) => (_bits & (1u << (int)field)) != 0;

    /// <summary>The set with one field less.</summary>
    public JsonFields Without(JsonField field) => new(_bits & ~(1u << (int)field));
}
