using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of vLLM. Its volume is the cache of what is downloaded from Hugging Face.</summary>
public sealed class VllmOptions : StoringComponentOptions
{
    /// <summary>The model that it serves.</summary>
    [Setting("The Hugging Face model that {0} serves", Allowed = "a repository such as 'Qwen/Qwen3-0.6B'")]
    [RegularExpression(@"[A-Za-z0-9][A-Za-z0-9._\-]*/[A-Za-z0-9][A-Za-z0-9._\-]*")]
    public string Model { get; set; } = "Qwen/Qwen3-0.6B";

    /// <summary>A file with a token of Hugging Face, for models that want one.</summary>
    [Setting("A file with the Hugging Face token that {0} uses to download models that require one", Allowed = "a path")]
    public string? TokenFile { get; set; }

    /// <summary>The GPUs.</summary>
    [Setting("The GPUs of {0}, as the driver numbers or names them; all of them unless set", Allowed = "numbers or names such as '0' or '2,3'")]
    [RegularExpression("[A-Za-z0-9:.-]+(,[A-Za-z0-9:.-]+)*")]
    public string? Gpus { get; set; }

    /// <summary>On how many of them the model is spread.</summary>
    [Setting("The number of GPUs over which {0} distributes the model", Allowed = "a number from 1 to 64")]
    [Range(1, 64)]
    public int TensorParallel { get; set; } = 1;

    /// <summary>How many requests it answers at the same time.</summary>
    [Setting("The number of requests that {0} answers at the same time", Allowed = "a number from 1 to 4096")]
    [Range(1, 4096)]
    public int Parallel { get; set; } = 256;
}
