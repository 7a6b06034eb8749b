using System.Text.Json.Serialization;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Replicas;

/// <summary>What peers say to each other.</summary>
internal enum PeerWord
{
    /// <summary>The first word of who was called: who it is, how long it has run and, once it has one, its place; again when its place is another.</summary>
    Welcome,

    /// <summary>Asks for a slot.</summary>
    Ask,

    /// <summary>Takes a question back: the client went away.</summary>
    Leave,

    /// <summary>Gives the slot that was asked for.</summary>
    Grant,

    /// <summary>Says why there is no slot.</summary>
    Refuse,

    /// <summary>Tells of a slot that is held already: another gateway gave it.</summary>
    Hold,

    /// <summary>The model of a slot has answered.</summary>
    Began,

    /// <summary>Gives a slot back.</summary>
    Free,

    /// <summary>Counts a request against the limits of its key.</summary>
    Count,

    /// <summary>Says whether the limits allow it.</summary>
    Counted,

    /// <summary>A counted request is over.</summary>
    Over,

    /// <summary>Tells what a key has used; with a number, of a request besides that runs and is counted already.</summary>
    Used,
}

/// <summary>One message between peers; which members it has depends on its word. On the wire: JSON, a line each.</summary>
internal sealed record PeerMessage(PeerWord Word, long Id = 0)
{
    /// <summary>Who speaks.</summary>
    public string? Peer { get; init; }

    /// <summary>Milliseconds that who speaks has run, by a clock that nobody sets.</summary>
    public long Age { get; init; }

    /// <summary>The place of who speaks: the lowest admits for all.</summary>
    public int? Place { get; init; }

    /// <summary>The model's normalised name.</summary>
    public string? Model { get; init; }

    /// <summary>What ties a conversation together.</summary>
    public ulong Affinity { get; init; }

    /// <summary>The name of the key that asks.</summary>
    public string? Key { get; init; }

    /// <summary>Whether the request is one of many that are short.</summary>
    public bool IsShort { get; init; }

    /// <summary>Whether the client is sent pieces of the answer as they come.</summary>
    public bool IsStreamed { get; init; }

    /// <summary>Milliseconds that the request has waited before, where it asks again.</summary>
    public long? Waited { get; init; }

    /// <summary>Instances that have just failed it.</summary>
    public IReadOnlyList<string>? Avoided { get; init; }

    /// <summary>The slot's instance.</summary>
    public string? Instance { get; init; }

    /// <summary>Whether the instance has to load the model.</summary>
    public bool IsCold { get; init; }

    /// <summary>Whether the model has answered.</summary>
    public bool HasAnswered { get; init; }

    /// <summary>The place in the queue.</summary>
    public int Position { get; init; }

    /// <summary>Whether it had to wait.</summary>
    public bool HasWaited { get; init; }

    /// <summary>How the slot's request ended.</summary>
    public LeaseEnd End { get; init; }

    /// <summary>Seconds that the load took.</summary>
    public double? LoadSeconds { get; init; }

    /// <summary>Whether the request had the model unloaded.</summary>
    public bool Unloads { get; init; }

    /// <summary>Why there is no slot.</summary>
    [JsonPropertyName("outcome")]
    public AdmissionStatus Status { get; init; }

    /// <summary>Seconds after which asking again makes sense.</summary>
    public double RetryAfter { get; init; }

    /// <summary>What the key's use is counted under.</summary>
    public string? KeyId { get; init; }

    /// <summary>The key's limit.</summary>
    public int? RequestsPerMinute { get; init; }

    /// <summary>The key's limit.</summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>The key's limit.</summary>
    public int? ConcurrentRequests { get; init; }

    /// <summary>The limit that is reached.</summary>
    public ReachedLimit Reached { get; init; }

    /// <summary>Tokens that the request has used.</summary>
    public long Tokens { get; init; }

    /// <summary>What the key has used of its minute.</summary>
    public KeyUse Use { get; init; }

    /// <summary>Asks to count a request of a key's.</summary>
    public static PeerMessage Count(ApiKey key, long id) => Of(PeerWord.Count, id, key);

    /// <summary>Tells what a key has used.</summary>
    public static PeerMessage Used(ApiKey key, KeyUse use, long id = 0) => Of(PeerWord.Used, id, key) with { Use = use };

    /// <summary>The key that such a message tells of.</summary>
    public ApiKey ToKey() => new()
    {
        Id = KeyId!,
        Name = Key!,
        Hash = [],
        Scopes = Scope.None,
        Created = default,
        RequestsPerMinute = RequestsPerMinute,
        TokensPerMinute = TokensPerMinute,
        ConcurrentRequests = ConcurrentRequests,
    };

    private static PeerMessage Of(PeerWord word, long id, ApiKey key) => new(word, id)
    {
        Key = key.Name,
        KeyId = key.Id,
        RequestsPerMinute = key.RequestsPerMinute,
        TokensPerMinute = key.TokensPerMinute,
        ConcurrentRequests = key.ConcurrentRequests,
    };
}

/// <summary>How messages are written.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(PeerMessage))]
internal sealed partial class PeerJson : JsonSerializerContext;
