using System.ComponentModel.DataAnnotations;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings of Ollama.</summary>
public sealed class OllamaOptions : StoringComponentOptions
{
    /// <summary>The place where it runs.</summary>
    [Setting("The place of {0}: in containers of the graph, installed on this machine (`host`, at its port), or nowhere")]
    public OllamaMode Mode { get; set; } = OllamaMode.Container;

    /// <summary>Whether the gateway uses the one that is installed on this machine.</summary>
    internal bool IsOnHost { get; set; }

    /// <summary>How many instances there are. Each has a volume and a port of its own.</summary>
    [Setting("The number of instances of {0}; further ones get their own volumes and the next free ports", Allowed = "a number from 1 to 16")]
    [Range(1, 16)]
    public int Instances { get; set; } = 1;

    /// <summary>The GPUs of each instance.</summary>
    [Setting("The GPUs of each instance of {0}, as the driver numbers or names them; all of them unless set", Allowed = "numbers or names such as '0;1' for two instances with a GPU each, '0,1;2,3' with two each")]
    [RegularExpression("[A-Za-z0-9:.-]+([,;][A-Za-z0-9:.-]+)*")]
    public string? Gpus { get; set; }

    /// <summary>How many requests an instance answers at the same time with one model: <c>OLLAMA_NUM_PARALLEL</c>.</summary>
    [Setting("The number of requests that an instance of {0} answers at the same time with one model", Allowed = "a number from 1 to 64")]
    [Range(1, 64)]
    public int Parallel { get; set; } = 1;

    /// <summary>How long a model stays in memory after a request: <c>OLLAMA_KEEP_ALIVE</c>.</summary>
    [Setting("How long a model stays in the memory of {0} after its last request; for ever if negative", Allowed = "a duration in Go's form such as '30m' or '-1'")]
    [RegularExpression(@"-?((\d+(\.\d+)?(ns|us|ms|s|m|h))+|\d+)")]
    public string KeepAlive { get; set; } = "5m";

    /// <summary>The tokens of context of a request that names no number: <c>OLLAMA_CONTEXT_LENGTH</c>.</summary>
    [Setting("The tokens of context that a model gets by default in {0}; 0 for Ollama's choice by the GPU's memory", Allowed = "a number from 0 to 10000000")]
    [Range(0, 10_000_000)]
    public int ContextLength { get; set; }

    /// <summary>How many models an instance keeps in memory at the same time: <c>OLLAMA_MAX_LOADED_MODELS</c>.</summary>
    [Setting("The number of models that an instance of {0} has in memory at the same time; 0 for Ollama's default, three for each GPU", Allowed = "a number from 0 to 100")]
    [Range(0, 100)]
    public int MaxLoadedModels { get; set; }

    /// <summary>How the context is kept: <c>OLLAMA_KV_CACHE_TYPE</c>.</summary>
    [Setting("The type in which {0} stores the context of a request in memory; the smaller types need FlashAttention", Allowed = "f16, q8_0, q4_0")]
    [RegularExpression("f16|q8_0|q4_0")]
    public string? KvCacheType { get; set; }

    /// <summary>Whether flash attention is used: <c>OLLAMA_FLASH_ATTENTION</c>.</summary>
    [Setting("Whether {0} uses flash attention; Ollama chooses for each model unless it is set", Allowed = "true, false")]
    [RegularExpression("true|false")]
    public string? FlashAttention { get; set; }

    /// <summary>The origins of pages that may use Ollama from a browser without the gateway: <c>OLLAMA_ORIGINS</c>.</summary>
    [Setting("Origins of pages that may use {0} from a browser, without the gateway", Allowed = "origins such as 'https://chat.example', separated by commas")]
    [RegularExpression(@"[^\s,]+(,[^\s,]+)*")]
    public string? Origins { get; set; }

    /// <summary>The proxy by which models are pulled: <c>HTTPS_PROXY</c>.</summary>
    [Setting("The proxy through which {0} pulls models", Allowed = "a URL such as 'http://proxy.example:3128'")]
    [RegularExpression(@"https?://[^\s@]+")]
    public string? Proxy { get; set; }

    /// <summary>The registries that are reached without that proxy: <c>NO_PROXY</c>.</summary>
    [Setting("Hosts that {0} reaches without its proxy", Allowed = "hosts, separated by commas")]
    [RegularExpression(@"[^\s,]+(,[^\s,]+)*")]
    public string? NoProxy { get; set; }
}
