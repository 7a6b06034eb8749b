namespace Hazumu.Gateway.Telemetry;

/// <summary>The values of labels for models. Clients name models, so only existing models become values.</summary>
/// <param name="limit">The maximum number of values, read at each new one.</param>
internal sealed class ModelLabels(Func<int> limit)
{
    private readonly BoundedLabels _labels = new(limit);

    /// <summary>The label of a model; empty where a request names none.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="isKnown">Whether an instance has it.</param>
    public string Label(string? model, bool isKnown)
    {
        if (string.IsNullOrEmpty(model))
        {
            return string.Empty;
        }

        return isKnown ? _labels.Label(model) : BoundedLabels.Other;
    }
}
