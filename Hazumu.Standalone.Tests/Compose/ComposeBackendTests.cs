using Hazumu.Checks;
using Xunit;

namespace Hazumu.Standalone.Tests.Compose;

/// <summary>The whole graph, run by Compose as it is published.</summary>
public sealed class ComposeBackendTests(ComposeBackend backend) : BackendChecks(backend), IClassFixture<ComposeBackend>;
