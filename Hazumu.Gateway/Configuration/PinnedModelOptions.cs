using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>One model of <c>Gateway:PinnedModels</c>, which is kept in memory.</summary>
internal sealed class PinnedModelOptions
{
    /// <summary>The model.</summary>
    [Setting("The model that is kept in memory", Allowed = "the name of a model")]
    public string? Model { get; set; }

    /// <summary>The engines that may keep it; unless one is named, any engine that has the model.</summary>
    [Setting(
        "The engines that may keep it; unless one is named, any engine that has the model",
        Allowed = "names of engines and patterns such as gpu-*, separated by commas")]
    public IReadOnlyList<string> Engines { get; set; } = [];

    /// <summary>On how many instances it is kept.</summary>
    [Setting(
        "The number of instances that keep it; unless it is set, every instance of `Engines` that is up, or one instance without `Engines`",
        Allowed = "a number from 1 to 1000")]
    [Range(1, 1000)]
    public int? Instances { get; set; }

    /// <summary>The times at which it is loaded; unless there is one, it is always kept.</summary>
    [Setting(
        "The times at which it is loaded, in `Gateway:TimeZone`; unless one is set, it is always kept",
        Allowed = "times such as '07:30', '07:30 mon-fri' or '22:00 sat sun', separated by commas")]
    public IReadOnlyList<string> LoadAt { get; set; } = [];

    /// <summary>How long it is kept after each of these times.</summary>
    [Setting("How long it is kept after each of these times", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Whether the model is pulled to an Ollama instance that should keep it and does not have it.</summary>
    [Setting("Whether the model is pulled to an Ollama instance that should keep it and does not have it")]
    public bool Pull { get; set; }
}
