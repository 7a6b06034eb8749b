using System.Collections.Frozen;

namespace Hazumu.Gateway.Upstreams;

/// <summary>The models that Ollama runs with one slot, whatever <c>OLLAMA_NUM_PARALLEL</c> says.</summary>
/// <remarks>
/// Source: ollama/ollama, server/sched.go, <c>Scheduler.load</c> (0.32.15): models without the capability <c>completion</c>, which are
/// embedding models, and families that are "not safe with num_parallel &gt; 1" (ollama/ollama#4165). Reported by users in ollama/ollama#12910,
/// #14638 and #17144. A family that is missing here is learned from how its answers begin: <see cref="ModelSlots.OnStreamBegan"/>.
/// </remarks>
internal static class SerialModels
{
    private static readonly FrozenSet<string> s_families = FrozenSet.Create(
        StringComparer.Ordinal,
        "mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next", "lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe", "nemotron_h_omni");

    /// <summary>Whether a model is one of them.</summary>
    /// <param name="family">Its family; <see langword="null"/> where the engine has none.</param>
    /// <param name="completes">Whether it has the capability; <see langword="null"/> where the engine does not say.</param>
    public static bool Contains(string? family, bool? completes) => completes == false || (family is not null && s_families.Contains(family));
}
