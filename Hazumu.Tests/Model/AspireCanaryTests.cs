using Aspire.Hosting;

namespace Hazumu.Tests.Model;

/// <summary>What Aspire lacks and Hazumu.AppHost works around. A test that fails here says that the workaround it names can go, and the test with it.</summary>
public sealed class AspireCanaryTests
{
    /// <summary>Workaround: <c>RunningContainer</c>. No issue there yet.</summary>
    [Fact]
    public void The_property_with_a_containers_id_is_not_public() =>
        Assert.DoesNotContain(typeof(DistributedApplication).Assembly.GetExportedTypes(), type => type.Name == "KnownProperties");
}
