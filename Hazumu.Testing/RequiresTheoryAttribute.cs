using Xunit;
using Xunit.Sdk;

namespace Hazumu.Testing;

/// <summary>A theory that is skipped, by name, where a component it needs cannot run on this machine.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("Hazumu.Testing.RequiresTheoryDiscoverer", "Hazumu.Testing")]
public sealed class RequiresTheoryAttribute : TheoryAttribute
{
    /// <summary>Marks a test.</summary>
    /// <param name="components">Sections of the components it needs; none means just the container engine.</param>
    /// <exception cref="ArgumentException">A component has no such name.</exception>
    public RequiresTheoryAttribute(params string[] components)
    {
        Components = components;
        Skip = Component.WhyMissing(components);
    }

    /// <summary>Sections of the components it needs.</summary>
    public IReadOnlyList<string> Components { get; }
}
