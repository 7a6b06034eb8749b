namespace Hazumu.Gateway.Upstreams;

/// <summary>
/// Any other server of OpenAI's API, such as SGLang, LM Studio, TGI or a remote gateway. Its list of models is all that they have in common:
/// it is the probe too, and its slots are those of the settings.
/// </summary>
/// <remarks>Source: https://platform.openai.com/docs/api-reference/models/list.</remarks>
internal sealed class OpenaiEngine : IEngine
{
    /// <inheritdoc/>
    public EngineKind Kind => EngineKind.Openai;

    /// <summary>Reads a list of models of OpenAI's form.</summary>
    public static async Task<IReadOnlyDictionary<string, StoredModel>> ListAsync(Instance instance, CancellationToken cancellationToken)
    {
        using var list = await EngineApi.GetAsync(instance, "/v1/models", cancellationToken)
            ?? throw new HttpRequestException("it has no /v1/models");
        return EngineApi.Models(list, "data")
            .Select(model => EngineApi.Text(model, "id"))
            .Select(id => new StoredModel(EngineApi.NameOf(id), 0, Id: id))
            .DistinctBy(model => model.Name)
            .ToDictionary(model => model.Name, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public async Task<bool> IsAtAsync(Instance instance, CancellationToken cancellationToken)
    {
        await ListAsync(instance, cancellationToken);
        return true;
    }

    /// <inheritdoc/>
    public async Task<EngineState> ProbeAsync(Instance instance, CancellationToken cancellationToken)
    {
        await ListAsync(instance, cancellationToken);
        return new(null);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, StoredModel>> GetModelsAsync(Instance instance, CancellationToken cancellationToken) =>
        ListAsync(instance, cancellationToken);
}
