using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of an engine that is not part of the graph; the gateway has the same below <c>Gateway:Engines</c>.</summary>
public sealed class EngineSettings
{
    /// <summary>Its address.</summary>
    [Setting("The address of an engine that is not part of the graph", Allowed = "an http or https URL without a path such as 'http://gpu-1:8000'")]
    [EngineUrl]
    public string Url { get; set; } = "";

    /// <summary>The engine's program; the gateway detects it unless it is set.</summary>
    [Setting("The engine's program; the gateway detects it unless it is set. `openai` is any other server of OpenAI's API")]
    public EngineKind? Kind { get; set; }

    /// <summary>A file that contains the key that it wants.</summary>
    [Setting("A file that contains the engine's key, sent as `Authorization: Bearer`", Allowed = "a path")]
    public string? KeyFile { get; set; }

    /// <summary>The certificates of the authorities that its own is trusted by, in PEM.</summary>
    [Setting("A file with the authorities that may have signed the engine's certificate; the system's unless it is set", Allowed = "a path")]
    public string? CaFile { get; set; }

    /// <summary>The models that requests may go to it for.</summary>
    [Setting("The engine's models that are used; all unless one is named", Allowed = "names of models and patterns such as qwen*, separated by commas")]
    public IReadOnlyList<string> Models { get; set; } = [];

    /// <summary>How many requests it runs at once with one model.</summary>
    [Setting("Requests that the engine runs at the same time with one model; unless it is set, the number that it reports itself", Allowed = "a number from 1 to 100000")]
    [Range(1, 100_000)]
    public int? Slots { get; set; }
}
