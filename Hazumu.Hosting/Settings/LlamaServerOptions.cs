using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of llama-server.</summary>
public sealed class LlamaServerOptions : ComponentOptions
{
    /// <summary>How many requests an instance answers at the same time: its slots.</summary>
    [Setting("The number of requests that an instance of {0} answers at the same time", Allowed = "a number from 1 to 64")]
    [Range(1, 64)]
    public int Parallel { get; set; } = 1;

    /// <summary>The tokens of context that the slots share.</summary>
    [Setting("The tokens of context that the slots of {0} share; 0 for as many as the model was trained with", Allowed = "a number from 0 to 10000000")]
    [Range(0, 10_000_000)]
    public int ContextLength { get; set; } = 8192;
}
