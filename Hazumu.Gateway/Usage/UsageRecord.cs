namespace Hazumu.Gateway.Usage;

/// <summary>What is kept of one request that the limits of its caller allowed: nothing of what was asked or answered.</summary>
/// <remarks>A struct, so that recording allocates nothing. Times of phases are in seconds; null where that is not known or did not happen.</remarks>
internal readonly record struct UsageRecord
{
    /// <summary>When the request began.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Its id, as the client, the access log and the engine have it.</summary>
    public required string RequestId { get; init; }

    /// <summary>The id of its key; null without a key.</summary>
    public string? KeyId { get; init; }

    /// <summary>The name of its key, or <c>anonymous</c>.</summary>
    public required string Key { get; init; }

    /// <summary>Whom the key's owner names as its user; null where nobody is named.</summary>
    public string? EndUser { get; init; }

    /// <summary>The group of the caller; null where it has none.</summary>
    public string? Group { get; init; }

    /// <summary>The operation: <c>chat</c>.</summary>
    public required string Operation { get; init; }

    /// <summary>The model as the client named it; null where the request ended before it was read.</summary>
    public string? Model { get; init; }

    /// <summary>The model that served it; the one that was named unless another did.</summary>
    public string? Served { get; init; }

    /// <summary>The instance that answered.</summary>
    public string? Engine { get; init; }

    /// <summary>Tokens of the prompt, those from the cache included; null where the engine reported none.</summary>
    public long? InputTokens { get; init; }

    /// <summary>Tokens of the prompt that came from the cache.</summary>
    public long? CachedTokens { get; init; }

    /// <summary>Tokens of the answer that count for the key.</summary>
    public long? OutputTokens { get; init; }

    /// <summary>Waiting for a slot.</summary>
    public double? Queue { get; init; }

    /// <summary>Loading the model.</summary>
    public double? Load { get; init; }

    /// <summary>Reading the prompt.</summary>
    public double? Prefill { get; init; }

    /// <summary>Making tokens.</summary>
    public double? Decode { get; init; }

    /// <summary>From the request's headers until it ended.</summary>
    public required double Total { get; init; }

    /// <summary>How it ended, as in the access log: <c>success</c>.</summary>
    public required string Outcome { get; init; }

    /// <summary>The status that the client got.</summary>
    public required int Status { get; init; }
}
