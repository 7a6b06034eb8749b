using Xunit;
using Xunit.Sdk;

namespace Hazumu.Testing;

/// <summary>A fact that is skipped, by name, where a component it needs cannot run on this machine.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("Hazumu.Testing.RequiresFactDiscoverer", "Hazumu.Testing")]
public sealed class RequiresFactAttribute : FactAttribute
{
    /// <summary>Marks a test.</summary>
    /// <param name="components">Sections of the components it needs; none means just the container engine.</param>
    /// <exception cref="ArgumentException">A component has no such name.</exception>
    public RequiresFactAttribute(params string[] components)
    {
        Components = components;
        Skip = Component.WhyMissing(components);
    }

    /// <summary>Sections of the components it needs.</summary>
    public IReadOnlyList<string> Components { get; }
}
