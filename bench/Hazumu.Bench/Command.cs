using System.Globalization;

namespace Hazumu.Bench;

internal static class Command
{
    public static int Whole(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>Runs a benchmark; a wrong option is reported in one line.</summary>
    public static async Task<int> RunAsync(Func<Task> benchmark)
    {
        if (!OperatingSystem.IsLinux())
        {
            await Console.Error.WriteLineAsync("The benchmarks need Linux: epoll, /proc, and processes' clocks.");
            return 2;
        }

        try
        {
            await benchmark();
            return 0;
        }
        catch (Exception wrong) when (wrong is ArgumentException or FormatException)
        {
            await Console.Error.WriteLineAsync(wrong.Message);
            return 2;
        }
    }
}
