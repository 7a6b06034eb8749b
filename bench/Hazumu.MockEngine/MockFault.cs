namespace Hazumu.Mocks;

/// <summary>What goes wrong.</summary>
public enum MockFaultKind
{
    /// <summary>The connection is reset before anything of an answer.</summary>
    ResetBeforeResponse,

    /// <summary>An answer with <see cref="MockFault.Status"/> and an error in the dialect of the request.</summary>
    Status,

    /// <summary>Nothing is sent for <see cref="MockFault.Duration"/>, the head of the answer neither; then all goes on.</summary>
    HangBeforeHeaders,

    /// <summary>The connection is reset after <see cref="MockFault.AfterTokens"/> tokens.</summary>
    Reset,

    /// <summary>An error is sent within the stream, under status 200, after <see cref="MockFault.AfterTokens"/> tokens.</summary>
    ErrorInStream,

    /// <summary>Nothing more is sent for <see cref="MockFault.Duration"/> after <see cref="MockFault.AfterTokens"/> tokens; then all goes on.</summary>
    Stall,

    /// <summary>The answer ends in good order after <see cref="MockFault.AfterTokens"/> tokens, without its last object or event.</summary>
    EndEarly,
}

/// <summary>Something that goes wrong on demand, given with <see cref="MockEngine.Inject"/> or <see cref="MockEngineOptions.Faults"/>.</summary>
/// <param name="Kind">What.</param>
public sealed record MockFault(MockFaultKind Kind)
{
    /// <summary>How many requests it hits; all of them when <see langword="null"/>.</summary>
    public int? Times { get; init; }

    /// <summary>The path it hits: an exact one, <c>*</c> for every path, or the inference routes when <see langword="null"/>.</summary>
    public string? Path { get; init; }

    /// <summary>The model it hits; all when <see langword="null"/>.</summary>
    public string? Model { get; init; }

    /// <summary>Whether it strikes as soon as the head of the request is there; only for resets, statuses and hangs, and without <see cref="Model"/>.</summary>
    public bool BeforeBody { get; init; }

    /// <summary>Tokens that are sent before it strikes.</summary>
    public int AfterTokens { get; init; } = 1;

    /// <summary>The status of <see cref="MockFaultKind.Status"/>.</summary>
    public int Status { get; init; } = 500;

    /// <summary>A <c>Retry-After</c> header for <see cref="MockFaultKind.Status"/>.</summary>
    public string? RetryAfter { get; init; }

    /// <summary>The message of an error.</summary>
    public string Message { get; init; } = "mock failure";

    /// <summary>How long a hang or a stall lasts; until the client goes away when <see langword="null"/>.</summary>
    public TimeSpan? Duration { get; init; }
}
