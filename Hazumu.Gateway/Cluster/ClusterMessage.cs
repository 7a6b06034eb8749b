using System.Text.Json;
using System.Text.Json.Serialization;
using Grpc.Core;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Cluster;

/// <summary>
/// The kind of a message between a gateway and the leader. A message with a model is about a slot; otherwise it is
/// about a count against a key's limits.
/// </summary>
internal enum MessageKind
{
    /// <summary>To the leader: requests a slot or a count.</summary>
    Ask,

    /// <summary>To the leader: reports one that is held already; for a slot also that its model has answered.</summary>
    Hold,

    /// <summary>To the leader: returns what is held, or withdraws what was requested.</summary>
    End,

    /// <summary>To the leader: what a key, or an end user of it, has used of its minute; or what accounts have used of their budgets.</summary>
    Used,

    /// <summary>From the leader: the answer to <see cref="Ask"/>.</summary>
    Answer,

    /// <summary>From the leader: how many gateways there are.</summary>
    Gateways,
}

/// <summary>A key in a message: what its limits need.</summary>
internal sealed record KeyInMessage(string Id, string Name, int? Requests, int? Tokens, int? Concurrent)
{
    /// <summary>The end user whose request it is.</summary>
    public string? EndUser { get; init; }

    public Limits EndUserLimits { get; init; }

    public static KeyInMessage From(ApiKey key, string? endUser) => new(key.Id, key.Name, key.RequestsPerMinute, key.TokensPerMinute, key.ConcurrentRequests)
    {
        EndUser = endUser,
        EndUserLimits = endUser is null ? default : key.EndUserLimits,
    };

    public Caller ToCaller() => new(Name, new ApiKey
    {
        Id = Id,
        Name = Name,
        Hash = [],
        Scopes = Scope.None,
        Created = default,
        RequestsPerMinute = Requests,
        TokensPerMinute = Tokens,
        ConcurrentRequests = Concurrent,
        EndUserLimits = EndUserLimits,
    });
}

/// <summary>One message; its kind says which members it has. Times are in milliseconds, waits of clients in seconds.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Id">The number of the slot or count, given by the gateway that requests it and unique among all gateways.</param>
internal sealed record ClusterMessage(MessageKind Kind, long Id = 0)
{
    public string? Model { get; init; }
    public IReadOnlyList<string>? Chain { get; init; }
    public int? QueueLongerThan { get; init; }
    public FallbackReason Fallback { get; init; }
    public string? KeyName { get; init; }
    public ulong Affinity { get; init; }
    public Priority Priority { get; init; }
    public bool IsShort { get; init; }
    public bool IsStreamed { get; init; }
    public bool IsAgain { get; init; }
    public long Waited { get; init; }
    public IReadOnlyList<string>? Avoided { get; init; }
    public string? Instance { get; init; }
    public bool IsCold { get; init; }
    public bool HasAnswered { get; init; }
    public int Position { get; init; }
    public bool HasWaited { get; init; }
    public LeaseEnd End { get; init; }
    public double? LoadSeconds { get; init; }
    public bool Unloads { get; init; }
    public AdmissionStatus Status { get; init; }
    public double RetryAfter { get; init; }
    public KeyInMessage? Key { get; init; }
    public KeyUse Use { get; init; }
    public KeyUse EndUserUse { get; init; }
    public bool IsOfEndUser { get; init; }
    public ReachedLimit Reached { get; init; }
    public BudgetClaim? Budgets { get; init; }
    public BudgetState? Budget { get; init; }
    public IReadOnlyList<BudgetUse>? BudgetUses { get; init; }
    public long Tokens { get; init; }
    public int Gateways { get; init; }

    /// <summary>Whether an answer gives no slot or allows no request.</summary>
    [JsonIgnore]
    public bool IsRefusal => Status != AdmissionStatus.Admitted || Reached != ReachedLimit.None;
}

/// <summary>The gRPC contract: one stream in both directions for each gateway that is connected.</summary>
/// <remarks>JSON in place of Protocol Buffers: their compiler (Grpc.Tools) is a native program, which does not run on Alpine.</remarks>
internal static class ClusterContract
{
    private static readonly Marshaller<ClusterMessage> s_messages = new(
        message => JsonSerializer.SerializeToUtf8Bytes(message, ClusterJson.Default.ClusterMessage),
        bytes => JsonSerializer.Deserialize(bytes, ClusterJson.Default.ClusterMessage)!);

    /// <summary>The stream of a gateway.</summary>
    public static readonly Method<ClusterMessage, ClusterMessage> Join = new(MethodType.DuplexStreaming, "hazumu.Admission", nameof(Join), s_messages, s_messages);

    /// <summary>Binds the leader's side; called by Grpc.AspNetCore.</summary>
    public static void Bind(ServiceBinderBase binder, LeaderSession? session) => binder.AddMethod(Join, session is null ? null : session.Join);
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(ClusterMessage))]
[JsonSerializable(typeof(LeaderRecord))]
internal sealed partial class ClusterJson : JsonSerializerContext;
