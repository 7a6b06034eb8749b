using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>One engine of <c>Gateway:Engines</c>.</summary>
internal sealed class EngineOptions
{
    /// <summary>Its address. A host name that resolves to several addresses is one instance for each.</summary>
    [Setting(
        "The engine's address; unless it is set, that of the connection string with the same name",
        Allowed = "an http or https URL without a path such as 'http://gpu-1:11434'")]
    [InstanceUrl]
    public string? Url { get; set; }

    /// <summary>The engine's program; detected unless it is set.</summary>
    [Setting("The engine's program; detected unless it is set. `openai` is any other server of OpenAI's API")]
    public EngineKind? Kind { get; set; }

    /// <summary>The key, sent as <c>Authorization: Bearer</c>. This or <see cref="KeyFile"/>.</summary>
    [Setting(
        "The key that the engine requires, from a secret; sent as `Authorization: Bearer` in place of the client's header. " +
        "Needs TLS, except to this machine",
        Allowed = "1 to 4096 visible ASCII characters")]
    public string? Key { get; set; }

    /// <summary>A file that contains the key; read again when it changes.</summary>
    [Setting("A file that contains that key; read again when it changes", Allowed = "a path")]
    public string? KeyFile { get; set; }

    /// <summary>The certificates of the authorities that its own is trusted by, in PEM; the system's unless it is set.</summary>
    [Setting(
        "A file with the authorities that may have signed the engine's certificate; the system's unless it is set", Allowed = "a path")]
    public string? CaFile { get; set; }

    /// <summary>The models that requests may go to it for; all that it has unless one is named.</summary>
    [Setting(
        "The engine's models that are used; all unless one is named",
        Allowed = "names of models and patterns such as qwen*, separated by commas")]
    public IReadOnlyList<string> Models { get; set; } = [];

    /// <summary>How many requests it runs at once with one model.</summary>
    [Setting(
        "Requests that the engine runs at the same time with one model; unless it is set, the number that it reports itself, else `Gateway:Slots`",
        Allowed = "a number from 1 to 100000")]
    [Range(1, 100_000)]
    public int? Slots { get; set; }

    /// <summary>Its share of the requests for a model that several engines have in memory.</summary>
    [Setting(
        "The share of the engine in the requests for a model that several engines have in memory, in proportion to the others",
        Allowed = "a number from 1 to 1000000")]
    [Range(1, 1_000_000)]
    public int Weight { get; set; } = 100;
}
