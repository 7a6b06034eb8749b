using Xunit;

namespace Hazumu.Testing;

/// <summary>Skips the running test, with the name of what this machine lacks for it. Call it first in a test, or in the constructor of its class.</summary>
public static class Skip
{
    /// <summary>Skips if a reason is given.</summary>
    /// <param name="reason">The missing requirement; <see langword="null"/> if there is none.</param>
    public static void If(string? reason) => Assert.SkipWhen(reason is not null, reason ?? "");

    /// <summary>Skips if a component cannot run on this machine.</summary>
    /// <param name="components">The components that the test needs.</param>
    public static void IfMissing(params IReadOnlyList<Component> components) => If(Component.WhyMissing(components));
}
