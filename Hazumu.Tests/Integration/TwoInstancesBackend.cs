using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>The graph as the AppHost runs it, with two Ollama instances behind the gateway.</summary>
public sealed class TwoInstancesBackend : AppHostBackend
{
    /// <summary>The instances' names.</summary>
    public static readonly IReadOnlyList<string> Instances = ["ollama", "ollama-2"];

    /// <summary>How many requests each of them answers at the same time.</summary>
    public const int Parallel = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<Component> Components => Component.Ollama.Missing is null ? base.Components : [];

    /// <inheritdoc/>
    public override string[] Options => [.. base.Options, $"--Hazumu:Ollama:Instances={Instances.Count}", $"--Hazumu:Ollama:Parallel={Parallel}"];

    /// <summary>Ends an instance without a warning, as a crash would.</summary>
    /// <param name="instance">Its name.</param>
    public async Task KillAsync(string instance) => await ContainerCli.RunOrThrowAsync(
        "kill", await ContainerCli.RunOrThrowAsync("ps", "--quiet", "--filter", $"label=hazumu.network={Name}", "--filter", $"label=hazumu.instance={instance}"));
}
