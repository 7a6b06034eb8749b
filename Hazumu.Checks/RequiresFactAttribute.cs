using Xunit;

namespace Hazumu.Checks;

/// <summary>A fact that is skipped, by name, where a component it needs cannot run on this machine.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RequiresFactAttribute : FactAttribute
{
    /// <summary>Marks a test.</summary>
    /// <param name="components">Sections of the components it needs, as in <see cref="Component.Section"/>; none means just the container engine.</param>
    /// <exception cref="ArgumentException">A component has no such name.</exception>
    public RequiresFactAttribute(params string[] components)
    {
        ArgumentNullException.ThrowIfNull(components);
        Components = components;

        var reasons = components
            .Select(name => Component.All.SingleOrDefault(component => component.Section == name)
                ?? throw new ArgumentException($"There is no component '{name}'.", nameof(components)))
            .Select(component => component.Missing)
            .OfType<string>()
            .ToList();

        if (components.Length == 0 && ContainerEngine.Missing is { } noEngine)
        {
            reasons.Add(noEngine);
        }

        if (reasons.Count > 0)
        {
            Skip = string.Join("; ", reasons);
        }
    }

    /// <summary>The sections of the components the test needs.</summary>
    public IReadOnlyList<string> Components { get; }
}
