using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Networking;

/// <summary>Chooses how containers reach the projects that they connect to.</summary>
internal sealed class ContainerAccessStartCheck(ContainerEngine engine, IConfiguration configuration, ILoggerFactory loggers) : IStartCheck
{
    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");

    /// <inheritdoc/>
    public async Task PrepareAsync(DistributedApplicationModel model, HostFacts facts, CancellationToken cancellationToken)
    {
        var connections = (
            from container in model.Resources
            from connection in container.Annotations.OfType<ConnectsToProjectAnnotation>()
            where model.Resources.Contains(connection.Endpoint.Resource) && ContainerAccessAnnotation.Of(connection.Endpoint.Resource) is not null
            select (Container: container, Project: connection.Endpoint.Resource)).ToList();
        if (connections.Count == 0)
        {
            return;
        }

        var access = await ContainerAccess.ChooseAsync(facts, configuration, engine, cancellationToken);
        ContainerAccess.Apply(access, model.Resources);

        foreach (var (container, project) in connections)
        {
            if (access.Problem is { } problem)
            {
                _logger.LogError("'{Container}' cannot reach '{Project}', which runs on this machine itself, because {Problem}.", container.Name, project.Name, problem);
            }
        }
    }
}
