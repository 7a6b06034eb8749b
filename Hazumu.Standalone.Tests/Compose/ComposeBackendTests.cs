using Hazumu.Checks;
using Xunit;

namespace Hazumu.Standalone.Tests.Compose;

/// <summary>Tests that are skipped where this machine has no Compose.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class RequiresComposeAttribute : RequiresAttribute
{
    /// <inheritdoc/>
    public override string? WhyMissing => ComposeCommand.Missing;

    /// <inheritdoc/>
    public override string? WhyComponentMissing(Component component) => component == Component.Gateway ? GatewayImage.Missing : null;
}

/// <summary>The whole graph, run by Compose as it is published.</summary>
[RequiresCompose]
public sealed class ComposeBackendTests(ComposeBackend backend) : BackendChecks(backend), IClassFixture<ComposeBackend>;
