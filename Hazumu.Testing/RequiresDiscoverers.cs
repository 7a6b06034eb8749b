using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Hazumu.Testing;

/// <summary>Discovers facts marked with <see cref="RequiresFactAttribute"/>, and skips those of a class that lacks what it needs.</summary>
/// <param name="diagnostics">Where xunit wants its diagnostics.</param>
public sealed class RequiresFactDiscoverer(IMessageSink diagnostics) : FactDiscoverer(diagnostics)
{
    /// <inheritdoc/>
    protected override IXunitTestCase CreateTestCase(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        SkippedTestCase.For(DiagnosticMessageSink, discoveryOptions, testMethod, factAttribute) ?? base.CreateTestCase(discoveryOptions, testMethod, factAttribute);
}

/// <summary>Discovers theories marked with <see cref="RequiresTheoryAttribute"/>, and skips those of a class that lacks what it needs.</summary>
/// <param name="diagnostics">Where xunit wants its diagnostics.</param>
public sealed class RequiresTheoryDiscoverer(IMessageSink diagnostics) : TheoryDiscoverer(diagnostics)
{
    /// <inheritdoc/>
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo theoryAttribute) =>
        SkippedTestCase.For(DiagnosticMessageSink, discoveryOptions, testMethod, theoryAttribute) is { } skipped
            ? [skipped]
            : base.Discover(discoveryOptions, testMethod, theoryAttribute);
}

/// <summary>A test that is skipped for its class' sake.</summary>
internal sealed class SkippedTestCase : XunitTestCase
{
    private string? _reason;

    [Obsolete("xunit calls this when it reads a test case back.")]
    public SkippedTestCase()
    {
    }

    private SkippedTestCase(string reason, IMessageSink diagnostics, ITestFrameworkDiscoveryOptions options, ITestMethod method)
        : base(diagnostics, options.MethodDisplayOrDefault(), options.MethodDisplayOptionsOrDefault(), method) => _reason = reason;

    /// <summary>The skipped test, or <see langword="null"/> where the class lacks nothing.</summary>
    public static SkippedTestCase? For(IMessageSink diagnostics, ITestFrameworkDiscoveryOptions options, ITestMethod method, IAttributeInfo attribute)
    {
        if (method.TestClass.Class.ToRuntimeType().GetCustomAttribute<RequiresAttribute>() is not { } ofClass)
        {
            return null;
        }

        var needed = attribute.GetNamedArgument<IReadOnlyList<string>>(nameof(RequiresFactAttribute.Components));
        var reason = ofClass.WhyMissing ?? Component.All
            .Where(component => needed.Contains(component.Section))
            .Select(ofClass.WhyComponentMissing)
            .FirstOrDefault(missing => missing is not null);
        return reason is null ? null : new SkippedTestCase(reason, diagnostics, options, method);
    }

    public override void Serialize(IXunitSerializationInfo data)
    {
        data.AddValue(nameof(_reason), _reason);
        base.Serialize(data);
    }

    public override void Deserialize(IXunitSerializationInfo data)
    {
        _reason = data.GetValue<string>(nameof(_reason));
        base.Deserialize(data);
    }

    protected override string? GetSkipReason(IAttributeInfo factAttribute) => _reason;
}
