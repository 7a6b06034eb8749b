namespace Hazumu.Hosting.Publishing;

/// <summary>
/// How Compose finds out whether the container is healthy: Aspire's own health checks run in the AppHost.
/// </summary>
/// <param name="Command">A program of the image and its arguments; exit code 0 means healthy.</param>
internal sealed record ComposeHealthcheckAnnotation(IReadOnlyList<string> Command) : IResourceAnnotation
{
    /// <summary>How long the start may take, as Compose writes durations: until then, a failure is none.</summary>
    public string StartPeriod { get; init; } = "30s";
}
