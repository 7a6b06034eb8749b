using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Hazumu.Hosting.Containers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Preflight;

/// <summary>
/// Checks, before anything starts, whether everything can start: the engine, what the settings require of the host,
/// another graph under the same names, and the ports. All problems are reported at once, a sentence each.
/// </summary>
/// <param name="engine">The container engine.</param>
/// <param name="checks">The steps that prepare the model.</param>
/// <param name="configuration">The application's configuration.</param>
/// <param name="loggers">Creates the log.</param>
/// <param name="options">The settings; <see langword="null"/> where single integrations are used without them.</param>
internal sealed class StartChecks(ContainerEngine engine, IEnumerable<IStartCheck> checks, IConfiguration configuration, ILoggerFactory loggers, HazumuOptions? options = null) : IDistributedApplicationEventingSubscriber
{
    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");

    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        eventing.Subscribe<BeforeStartEvent>(async (start, token) =>
        {
            foreach (var sentence in options?.FindModelsWithoutEngine() ?? [])
            {
                _logger.LogWarning("{Problem}", sentence);
            }

            var (_, problems) = await SettleAsync(start.Model, token);
            await CheckAsync(start.Model, HostPort.All(start.Model, configuration), problems, token);
        });
        return Task.CompletedTask;
    }

    /// <summary>Finishes the resources by what the host offers.</summary>
    /// <returns>The facts about the host, and a sentence for each demand that it does not meet.</returns>
    /// <exception cref="StartupProblemException">There is no engine, or it does not answer.</exception>
    public async Task<(HostFacts Facts, IReadOnlyList<string> Problems)> SettleAsync(DistributedApplicationModel model, CancellationToken cancellationToken)
    {
        var facts = await HostFacts.ReadAsync(engine, cancellationToken);
        var problems = new List<string>();

        foreach (var check in checks)
        {
            await check.PrepareAsync(model, facts, cancellationToken);
        }

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

        return (facts, problems);
    }

    /// <summary>Checks that no other graph and no taken port is in the way.</summary>
    /// <exception cref="StartupProblemException">There is a problem, or the host does not meet a demand.</exception>
    public async Task CheckAsync(DistributedApplicationModel model, IEnumerable<HostPort> ports, IReadOnlyList<string> unmet, CancellationToken cancellationToken) =>
        StartupProblemException.ThrowIfAny(
        [
            .. unmet,
            .. await new NeighbourCheck(engine).FindProblemsAsync(options?.Network, VolumesOf(model), cancellationToken),
            .. await new PortCheck(engine).FindProblemsAsync(ports, cancellationToken),
        ]);

    private static HashSet<string> VolumesOf(DistributedApplicationModel model) =>
    [
        .. model.Resources
            .SelectMany(resource => resource.Annotations.OfType<ContainerMountAnnotation>())
            .Where(mount => mount.Type == ContainerMountType.Volume && mount.Source is not null)
            .Select(mount => mount.Source!),
    ];
}
