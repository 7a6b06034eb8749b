using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Telemetry;

/// <summary>Has the usage of a request stored.</summary>
internal sealed class UsageRecording(UsageWriter writer, TimeProvider time)
{
    /// <summary>Records a request that has ended, if the limits of its caller allowed it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="phases">Its phases.</param>
    public void Record(GatewayRequest request, in RequestPhases phases)
    {
        if (!request.IsCounted)
        {
            return;
        }

        ref var facts = ref request.Facts;
        var hasTokens = facts.HasUsage || request.CountedOutputTokens > 0;
        writer.Add(new UsageRecord
        {
            Started = time.GetUtcNow() - TimeSpan.FromSeconds(phases.Total),
            RequestId = request.Id,
            KeyId = request.Caller.Key?.Id,
            Key = request.Caller.Name,
            EndUser = request.EndUser,
            Group = request.Caller.Group,
            Operation = request.Operation.Name,
            Model = request.Model,
            Served = request.Sent == 0 ? null : request.Served?.Name ?? request.Model,
            Engine = request.Instance,
            InputTokens = hasTokens ? facts.InputTokens : null,
            CachedTokens = hasTokens ? facts.CachedTokens : null,
            OutputTokens = hasTokens ? request.CountedOutputTokens : null,
            Queue = phases.Queue,
            Load = phases.Load,
            Prefill = phases.Prefill,
            Decode = phases.Decode,
            Total = phases.Total,
            Outcome = Attributes.NameOf(request.Outcome),
            Status = request.StatusCode,
        });
    }
}
