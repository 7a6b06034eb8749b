namespace Hazumu.Checks;

/// <summary>A class whose tests are skipped, by name, where this machine lacks something that all of them need.</summary>
[AttributeUsage(AttributeTargets.Class)]
public abstract class RequiresAttribute : Attribute
{
    /// <summary>Why the tests cannot run, or <see langword="null"/> where they can.</summary>
    public abstract string? WhyMissing { get; }
}
