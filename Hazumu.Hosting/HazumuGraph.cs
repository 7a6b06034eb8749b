namespace Hazumu.Hosting;

/// <summary>The resources of the whole graph that other resources may refer to.</summary>
public sealed class HazumuGraph
{
    /// <summary>The settings that the graph was built from.</summary>
    public required HazumuOptions Settings { get; init; }

    /// <summary>The instances of Ollama.</summary>
    public required IReadOnlyList<IResourceBuilder<OllamaResource>> Ollama { get; init; }

    /// <summary>The instances of llama-server, one for each model file.</summary>
    public required IReadOnlyList<IResourceBuilder<LlamaServerResource>> LlamaServer { get; init; }

    /// <summary>vLLM.</summary>
    public required IResourceBuilder<VllmResource> Vllm { get; init; }

    /// <summary>The gateway, whose endpoint <c>http</c> speaks Ollama's and OpenAI's APIs.</summary>
    public required IResourceBuilder<IResourceWithEndpoints> Gateway { get; init; }

    /// <summary>Prometheus.</summary>
    public required IResourceBuilder<PrometheusResource> Prometheus { get; init; }

    /// <summary>Alertmanager.</summary>
    public required IResourceBuilder<AlertmanagerResource> Alertmanager { get; init; }

    /// <summary>Grafana.</summary>
    public required IResourceBuilder<GrafanaResource> Grafana { get; init; }
}
