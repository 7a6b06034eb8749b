using ArchUnitNET.Domain;
using ArchUnitNET.Fluent.Slices;
using ArchUnitNET.Loader;
using ArchUnitNET.xUnitV3;

namespace Hazumu.Gateway.Tests;

/// <summary>How the gateway's folders may use each other.</summary>
public sealed class ArchitectureTests
{
    private static readonly Architecture s_gateway = new ArchLoader().LoadAssemblies(typeof(GatewayHost).Assembly).Build();

    [Fact]
    public void Folders_have_no_circles() =>
        SliceRuleDefinition.Slices().Matching("Hazumu.Gateway.(*)").Should().BeFreeOfCycles().Check(s_gateway);
}
