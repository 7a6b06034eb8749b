using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of Ollama.</summary>
public sealed class OllamaOptions : StoringComponentOptions
{
    /// <summary>How many instances there are. Each has a volume and a port of its own.</summary>
    [Setting("How many instances of {0} there are; further ones take volumes of their own and the next free ports", Allowed = "a number from 1 to 16")]
    [Range(1, 16)]
    public int Instances { get; set; } = 1;

    /// <summary>
    /// How many requests an instance answers at the same time with one model: <c>OLLAMA_NUM_PARALLEL</c>.
    /// </summary>
    [Setting("How many requests an instance of {0} answers at the same time with one model", Allowed = "a number from 1 to 64")]
    [Range(1, 64)]
    public int Parallel { get; set; } = 1;
}
