namespace Hazumu.Testing;

/// <summary>A class whose tests are skipped, by name, where this machine lacks something that all of them need.</summary>
[AttributeUsage(AttributeTargets.Class)]
public abstract class RequiresAttribute : Attribute
{
    /// <summary>Why the tests cannot run, or <see langword="null"/> where they can.</summary>
    public abstract string? WhyMissing { get; }

    /// <summary>Why this class' tests cannot have a component that others on this machine may have, or <see langword="null"/> where they can.</summary>
    /// <param name="component">The component.</param>
    public virtual string? WhyComponentMissing(Component component) => null;
}
