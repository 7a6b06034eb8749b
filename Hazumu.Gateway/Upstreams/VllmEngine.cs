using System.Globalization;

namespace Hazumu.Gateway.Upstreams;

/// <summary>
/// vLLM. It batches as many requests as its memory for context allows, up to <c>--max-num-seqs</c>, and reports neither; its metrics report
/// how many run and how many wait. So its slots are learned: as many as run when requests wait, and slowly more while none does.
/// </summary>
/// <remarks>
/// Source, all under https://github.com/vllm-project/vllm/blob/main/: vllm/entrypoints/serve/instrumentator/basic.py (<c>/version</c>) and
/// health.py (<c>/health</c>: 200 without a body, 503 when the engine is dead); vllm/entrypoints/openai/models (<c>owned_by</c> is
/// <c>vllm</c>, <c>max_model_len</c>); docs/design/metrics.md; vllm/config/scheduler.py (<c>DEFAULT_MAX_NUM_SEQS</c>). An API key guards
/// <c>/v1</c> only (vllm/entrypoints/serve/middleware/authenticate.py).
/// </remarks>
internal sealed class VllmEngine : IEngine
{
    /// <summary>The slots to begin with: <c>DEFAULT_MAX_NUM_SEQS</c>, which its launcher raises for large GPUs.</summary>
    public const int DefaultSlots = 128;

    private const int MostSlots = 1024;

    /// <inheritdoc/>
    public EngineKind Kind => EngineKind.Vllm;

    /// <inheritdoc/>
    public async Task<bool> IsAtAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var version = await EngineApi.FindAsync(instance, "/version", cancellationToken);
        if (version is null || EngineApi.Text(version.RootElement, "version") is null)
        {
            return false;
        }

        using var list = await EngineApi.FindAsync(instance, "/v1/models", cancellationToken);
        return list is not null && EngineApi.Models(list, "data").Any(model => EngineApi.Text(model, "owned_by") == "vllm");
    }

    /// <inheritdoc/>
    public async Task<EngineState> ProbeAsync(Instance instance, CancellationToken cancellationToken)
    {
        await EngineApi.GetTextAsync(instance, "/health", cancellationToken);
        using var version = await EngineApi.GetAsync(instance, "/version", cancellationToken);
        using var list = await EngineApi.GetAsync(instance, "/v1/models", cancellationToken)
            ?? throw new HttpRequestException("it has no /v1/models");
        var metrics = await EngineApi.GetTextAsync(instance, "/metrics", cancellationToken) ?? "";
        var (running, waiting) = (Sum(metrics, "vllm:num_requests_running"), Sum(metrics, "vllm:num_requests_waiting"));
        return new(
            version is null ? null : EngineApi.Text(version.RootElement, "version"),
            [.. EngineApi.Models(list, "data").Select(model => new ResidentModel(
                EngineApi.NameOf(EngineApi.Text(model, "id")), ContextLength: EngineApi.Number(model, "max_model_len")))],
            Slots(instance.ReportedSlots ?? DefaultSlots, running, isQueueing: waiting > 0, wasQueueing: instance.IsQueueing),
            waiting > 0);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, StoredModel>> GetModelsAsync(Instance instance, CancellationToken cancellationToken) =>
        OpenaiEngine.ListAsync(instance, cancellationToken);

    /// <summary>How many requests it is sent at once from now on.</summary>
    /// <param name="before">How many it was sent before.</param>
    /// <param name="running">How many run.</param>
    /// <param name="isQueueing">Whether requests wait in it.</param>
    /// <param name="wasQueueing">Whether requests waited at the probe before: every request waits for a moment.</param>
    internal static int Slots(int before, int running, bool isQueueing, bool wasQueueing) =>
        isQueueing ? wasQueueing ? Math.Clamp(running, 1, before) : before
        : running < before ? before
        : Math.Min(MostSlots, before + (before / 8) + 1);

    // One sample for each model and each of its engines.
    private static int Sum(string metrics, string name)
    {
        var sum = 0d;
        foreach (var line in metrics.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(name) && line.Length > name.Length && line[name.Length] is '{' or ' '
                && double.TryParse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture, out var value))
            {
                sum += value;
            }
        }

        return (int)sum;
    }
}
