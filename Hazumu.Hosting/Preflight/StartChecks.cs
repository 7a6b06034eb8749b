using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Hazumu.Hosting.Networking;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Preflight;

/// <summary>
/// Finds out, before anything starts, whether everything can: the engine, what is demanded of the host, another graph under the same names, the ports. All problems
/// are reported at once, a sentence each.
/// </summary>
internal sealed class StartChecks(HazumuOptions options, ContainerEngine engine, IConfiguration configuration, ILoggerFactory loggers) : IDistributedApplicationEventingSubscriber
{
    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");

    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        eventing.Subscribe<BeforeStartEvent>((start, token) => CheckAsync(start.Model, token));
        return Task.CompletedTask;
    }

    private async Task CheckAsync(DistributedApplicationModel model, CancellationToken cancellationToken)
    {
        var facts = await HostFacts.FindOutAsync(engine, cancellationToken);
        var problems = new List<string>();

        await DecideContainerAccessAsync(model, facts, cancellationToken);
        // A copy: what the host turns out to be may take a resource out of the graph.
        foreach (var resource in model.Resources.ToList())
        {
            foreach (var annotation in resource.Annotations.OfType<HostFactsCallbackAnnotation>().ToList())
            {
                try
                {
                    annotation.Apply(facts, _logger);
                }
                catch (StartupProblemException problem)
                {
                    problems.AddRange(problem.Problems);
                }
            }
        }

        problems.AddRange(await new NeighbourCheck(engine).FindProblemsAsync(options.Network, VolumesOf(model), cancellationToken));
        problems.AddRange(await new PortCheck(engine).FindProblemsAsync(HostPort.All(model, configuration), cancellationToken));
        StartupProblemException.ThrowIfAny(problems);
    }

    private static HashSet<string> VolumesOf(DistributedApplicationModel model) =>
    [
        .. model.Resources
            .SelectMany(resource => resource.Annotations.OfType<ContainerMountAnnotation>())
            .Where(mount => mount.Type == ContainerMountType.Volume && mount.Source is not null)
            .Select(mount => mount.Source!),
    ];

    private async Task DecideContainerAccessAsync(DistributedApplicationModel model, HostFacts facts, CancellationToken cancellationToken)
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
