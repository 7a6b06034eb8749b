namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>The members that <see cref="RequestHead"/> has found at the beginning of a body.</summary>
internal readonly record struct RequestHeadResult
{
    /// <summary>Why the body is malformed, in one sentence for the client; null where it is not. Nothing else is set then.</summary>
    public string? Problem { get; init; }

    /// <summary>The model, as the client named it; null where it was not found.</summary>
    public string? Model { get; init; }

    /// <summary>The bytes of <see cref="Model"/>; in JSON with the quotes.</summary>
    public Range ModelRange { get; init; }

    /// <summary>
    /// Every member that names a model to an operation that manages them (<c>model</c>, <c>name</c>, <c>from</c>, <c>source</c>,
    /// <c>destination</c>); the model is <see langword="null"/> where it is no text. <see langword="null"/> where there is none.
    /// </summary>
    public IReadOnlyList<(string Property, string? Model)>? Named { get; init; }

    /// <summary>The host (<c>remote_host</c>) that a model to be created sends its prompts to.</summary>
    public string? RemoteHost { get; init; }

    /// <summary>Whether the client requests a transfer without TLS (<c>insecure</c>).</summary>
    public bool IsInsecure { get; init; }

    /// <summary>The client's value for streaming; null without one, so that the dialect's default applies.</summary>
    public bool? Stream { get; init; }

    /// <summary>Whether the client requests the usage in its stream.</summary>
    public bool IncludesUsage { get; init; }

    /// <summary>Whether the client wants to keep the model no longer than this: with no prompt, that unloads it.</summary>
    public bool UnloadsModel { get; init; }

    /// <summary>Whether there is something to read for the model: a prompt, messages, an input. Without it, the model is only loaded.</summary>
    public bool HasPrompt { get; init; }

    /// <summary>A hash that identifies a conversation; zero for none. Valid in this process only.</summary>
    public ulong Affinity { get; init; }

    /// <summary>The end user that the body names, if that is wanted; <see langword="null"/> if it names none.</summary>
    public string? EndUser { get; init; }

    /// <summary>Whether all of the object was read: what was not found is not there then, and what was found is not given again.</summary>
    public bool IsWhole { get; init; }

    /// <summary>How <see cref="UsageRequest"/> has to request the usage.</summary>
    public UsageChange UsageChange { get; init; }

    /// <summary>The bytes that take the place of <see cref="UsageChange"/>.</summary>
    public Range UsagePlace { get; init; }
}
