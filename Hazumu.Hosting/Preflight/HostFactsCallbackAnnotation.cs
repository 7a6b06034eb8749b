using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Preflight;

/// <summary>Finishes a resource once it is known what the host offers, before any container starts.</summary>
/// <param name="Apply">Changes the resource; throws <see cref="StartupProblemException"/> where the host lacks what was
/// demanded.</param>
internal sealed record HostFactsCallbackAnnotation(Action<HostFacts, ILogger> Apply) : IResourceAnnotation;
