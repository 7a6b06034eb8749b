using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>The graph with llama-server as its only engine, as <c>./hazumu up</c> starts it where Ollama's image cannot be had.</summary>
public sealed class LlamaServerBackend : AppHostBackend
{
    /// <inheritdoc/>
    public override IReadOnlyList<Component> Components { get; } =
        (ContainerCli.Missing ?? Component.WhyMissing(Component.LlamaServer, Component.Prometheus)) is null ? [Component.LlamaServer, Component.Gateway, Component.Prometheus] : [];

    /// <inheritdoc/>
    public override string[] Options => [.. base.Options, "--Hazumu:Models="];
}
