using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Hazumu.AppHost.Preflight;

/// <summary>
/// Finds out, before anything starts, whether everything can: the engine, what is demanded of the host, the ports. All problems
/// are told at once, a sentence each.
/// </summary>
internal sealed class StartChecks(ContainerEngine engine, IConfiguration configuration, ILoggerFactory loggers) : IDistributedApplicationEventingSubscriber
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

        foreach (var resource in model.Resources)
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

        problems.AddRange(await new PortCheck(engine).FindProblemsAsync(HostPort.All(model, configuration), cancellationToken));
        StartupProblemException.ThrowIfAny(problems);
    }
}
