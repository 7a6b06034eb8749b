using Hazumu.Hosting.Containers;

namespace Hazumu.Hosting.Preflight;

/// <summary>
/// Finds another graph that runs on this engine under the same names, such as the published application in production:
/// the two would write to the same volumes, and answer for each other on the network.
/// </summary>
internal sealed class NeighbourCheck(ContainerEngine engine)
{
    private const string ComposeProject = "com.docker.compose.project";

    /// <summary>One sentence for each other graph.</summary>
    /// <param name="network">The network of the graph that is to start; <see langword="null"/> where it has none of its
    /// own.</param>
    /// <param name="volumes">Its volumes.</param>
    /// <param name="cancellationToken">Ends the check early.</param>
    public async Task<IReadOnlyList<string>> FindProblemsAsync(string? network, IReadOnlyCollection<string> volumes, CancellationToken cancellationToken)
    {
        var onNetwork = network is null ? Task.FromResult<string[]>([]) : ListAsync([$"label={ContainerLabels.Network}={network}"], cancellationToken);
        var withVolumes = volumes.Count == 0 ? Task.FromResult<string[]>([]) : ListAsync(volumes.Select(volume => $"volume={volume}"), cancellationToken);
        return
        [
            .. (await onNetwork).Union(await withVolumes)
                .Select(line => line.Split('\t'))
                .GroupBy(columns => columns.Length > 1 ? columns[1] : "", columns => columns[0])
                .Select(other =>
                    $"{(other.Key.Length > 0 ? $"The Compose application '{other.Key}'" : "Another graph")} runs on this engine with this graph's network '{network}' or volumes (containers: {string.Join(", ", other.Order(StringComparer.Ordinal))}); " +
                    $"stop it, or give this graph other names: set {HazumuOptions.SectionName}:{nameof(HazumuOptions.Network)} and {HazumuOptions.SectionName}:…:Volume of each component that stores data."),
        ];
    }

    // The engine lists containers that match any of several filters of a kind; "volume" matches the beginning of a
    // path, but names exactly.
    private async Task<string[]> ListAsync(IEnumerable<string> filters, CancellationToken cancellationToken)
    {
        var list = await engine.RunAsync(["ps", "--quiet", .. filters.SelectMany(filter => new[] { "--filter", filter })], cancellationToken);
        var containers = Lines(list.IsSuccess ? list.StandardOutput : throw Explain(list.StandardError));
        if (containers.Length == 0)
        {
            return [];
        }

        // 'ps' of Podman before 5.0 has no .Label (containers/podman#20957).
        var found = await engine.RunAsync(["inspect", "--type", "container", "--format", $$$"""{{.Name}}{{"\t"}}{{with index .Config.Labels "{{{ComposeProject}}}"}}{{.}}{{end}}""", .. containers], cancellationToken);
        // If one of them has been removed in the meantime, the others are printed.
        return found.IsSuccess || found.StandardError.Contains("no such", StringComparison.OrdinalIgnoreCase)
            ? [.. Lines(found.StandardOutput).Select(line => line.TrimStart('/'))]
            : throw Explain(found.StandardError);

        static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        static StartupProblemException Explain(string error) => new($"The container engine cannot list its containers ({error.Trim()}); restart it and try again.");
    }
}
