using Hazumu.Testing;
using Hazumu.Tests.Compose;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Hazumu.Tests.Faults;

/// <summary>What tests with faults have in common.</summary>
internal static class FaultAttributes
{
    /// <summary>The components that they need.</summary>
    public static readonly string[] Components = ["Ollama", "Gateway", "Prometheus", "CAdvisor", "Blackbox", "Alertmanager", "NodeExporter"];

    /// <summary>Why they cannot run on this machine, or <see langword="null"/> where they can.</summary>
    public static string? WhyMissing { get; } = ComposeCommand.Missing ?? Component.WhyMissing(Components) ?? GatewayImage.Missing;

    /// <summary>Whether the whole table is asked for (<c>./hazumu faults</c>); it takes an hour, and two with the healthy load.</summary>
    public static bool IsWholeTableAskedFor => Environment.GetEnvironmentVariable("HAZUMU_FAULTS") == "1";
}

/// <summary>A fact that is skipped, by name, where the graph with two Ollama instances cannot run.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FaultFactAttribute : FactAttribute
{
    public FaultFactAttribute() => Skip = FaultAttributes.WhyMissing;
}

/// <summary>A theory that is there only where the whole table is asked for: nobody waits for it otherwise, and nothing counts it as skipped.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("Hazumu.Tests.Faults.WholeTableDiscoverer", "Hazumu.Tests")]
public sealed class WholeTableTheoryAttribute : TheoryAttribute
{
    public WholeTableTheoryAttribute() => Skip = FaultAttributes.WhyMissing;
}

/// <summary>Discovers theories marked with <see cref="WholeTableTheoryAttribute"/>.</summary>
/// <param name="diagnostics">Where xunit wants its diagnostics.</param>
public sealed class WholeTableDiscoverer(IMessageSink diagnostics) : TheoryDiscoverer(diagnostics)
{
    /// <inheritdoc/>
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo theoryAttribute) =>
        FaultAttributes.IsWholeTableAskedFor ? base.Discover(discoveryOptions, testMethod, theoryAttribute) : [];
}

/// <summary>Runs faults in the order of the table, after whatever has no fault: xunit would shuffle them.</summary>
public sealed class InTheOrderOfTheTable : ITestCaseOrderer
{
    private static readonly List<string> s_names = [.. Fault.All.Select(fault => fault.Name)];

    /// <inheritdoc/>
    public IEnumerable<TTestCase> OrderTestCases<TTestCase>(IEnumerable<TTestCase> testCases) where TTestCase : ITestCase =>
        testCases.OrderBy(test => s_names.IndexOf(test.TestMethodArguments is [string name] ? name : ""));
}
