using Aspire.Hosting;
using Hazumu.Hosting.Settings;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;

namespace Hazumu.Tests.Model;

public sealed class GpuChoiceTests
{
    [Theory]
    [InlineData(true, true, false, "Nvidia")]
    [InlineData(true, true, true, "Nvidia")]
    [InlineData(false, false, true, "AMD")]
    [InlineData(true, false, true, "AMD")]
    [InlineData(true, false, false, "")]
    [InlineData(false, true, false, "")]
    [InlineData(false, false, false, "")]
    public void Auto_takes_what_both_the_machine_and_the_engine_have(bool device, bool engine, bool amd, string expected)
    {
        var choice = GpuChoice.Make(GpuMode.Auto, new HostFacts { HasNvidiaDevice = device, EngineOffersNvidia = engine, HasAmdDevice = amd });
        Assert.Equal(expected, choice.Vendor?.ToString() ?? "");
        Assert.NotEmpty(choice.Reason);
    }

    [Fact]
    public void A_runtime_that_Docker_Desktop_lists_everywhere_is_not_enough() =>
        Assert.Null(GpuChoice.Make(GpuMode.Auto, new HostFacts { SharesThisMachine = false, EngineOffersNvidia = true }).Vendor);

    [Fact]
    public void A_GPU_behind_a_virtual_machine_is_taken_where_its_driver_is_here() =>
        Assert.Equal(OllamaGpuVendor.Nvidia, GpuChoice.Make(GpuMode.Auto, new HostFacts { SharesThisMachine = false, EngineOffersNvidia = true, HasNvidiaDevice = true }).Vendor);

    [Fact]
    public void None_means_none() =>
        Assert.Null(GpuChoice.Make(GpuMode.None, new HostFacts { HasNvidiaDevice = true, EngineOffersNvidia = true }).Vendor);

    [Theory]
    [InlineData(GpuMode.Nvidia, "'nvidia'", "NVIDIA Container Toolkit")]
    [InlineData(GpuMode.Amd, "'amd'", "/dev/kfd")]
    public void A_required_GPU_that_is_missing_is_reported(GpuMode mode, string value, string remedy)
    {
        var problem = Assert.Throws<StartupProblemException>(() => GpuChoice.Make(mode, new HostFacts()));
        Assert.Contains("Hazumu:Gpu", problem.Message, StringComparison.Ordinal);
        Assert.Contains(value, problem.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, problem.Message, StringComparison.Ordinal);
    }
}
