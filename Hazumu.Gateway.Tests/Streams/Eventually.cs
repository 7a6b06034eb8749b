using System.Diagnostics;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Waits for what comes a little later, as measurements do.</summary>
internal static class Eventually
{
    /// <summary>Tries until the assertion holds; after the limit its failure is the test's.</summary>
    public static Task HoldsAsync(Action assertion, TimeSpan? limit = null) => HoldsAsync(
        () =>
        {
            assertion();
            return Task.CompletedTask;
        },
        limit);

    /// <inheritdoc cref="HoldsAsync(Action, TimeSpan?)"/>
    public static async Task HoldsAsync(Func<Task> assertion, TimeSpan? limit = null)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await assertion();
                return;
            }
            catch (Exception) when (watch.Elapsed < (limit ?? TimeSpan.FromSeconds(10)))
            {
                await Task.Delay(5);
            }
        }
    }
}
