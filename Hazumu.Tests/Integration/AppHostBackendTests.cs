using Hazumu.Checks;

namespace Hazumu.Tests.Integration;

/// <summary>The whole graph, run by the AppHost.</summary>
[Collection(Graph.Collection)]
public sealed class AppHostBackendTests(AppHostBackend backend) : BackendChecks(backend), IClassFixture<AppHostBackend>
{
    [RequiresFact("Prometheus")]
    public Task The_dashboards_reload_command_works() => backend.ExecuteAsync(Component.Prometheus, "reload");
}
