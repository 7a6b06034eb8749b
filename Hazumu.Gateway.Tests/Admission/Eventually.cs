namespace Hazumu.Gateway.Tests.Admission;

/// <summary>Waits for what happens beside the test.</summary>
internal static class Eventually
{
    /// <summary>How long anything may take that happens at all, on a machine that has other things to do.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>Waits until a condition holds.</summary>
    public static async Task HoldsAsync(Func<bool> condition, string what)
    {
        var deadline = Environment.TickCount64 + (long)Limit.TotalMilliseconds;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 < deadline, $"Within {Limit.TotalSeconds:0} s it has not come true that {what}.");
            await Task.Delay(3);
        }
    }
}
