using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Hazumu.Bench.Processes;

/// <summary>The resources that processes have used, as the kernel counts them.</summary>
internal static partial class Usage
{
    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }

    /// <summary>
    /// Seconds of CPU, user and system, of all threads that there have been. From the processes' own clocks: the numbers in
    /// <c>/proc/PID/stat</c> are the same rounded to 10 ms.
    /// </summary>
    public static double CpuSeconds(IEnumerable<int> processes)
    {
        var sum = 0.0;
        foreach (var process in processes)
        {
            if (ClockOf(process, out var clock) != 0 || ReadClock(clock, out var time) != 0)
            {
                throw new Win32Exception(Marshal.GetLastPInvokeError(), $"Process {process} has no clock.");
            }

            sum += time.Seconds + (time.Nanoseconds / 1e9);
        }

        return sum;
    }

    /// <summary>Bytes of memory: pages of their own, and their share of those that others have too.</summary>
    public static long ProportionalBytes(IEnumerable<int> processes) => Sum(processes, "Pss:");

    private static long Sum(IEnumerable<int> processes, string key) => processes.Sum(process => 1024 * File
        .ReadLines($"/proc/{process}/smaps_rollup")
        .Where(line => line.StartsWith(key, StringComparison.Ordinal))
        .Sum(line => long.Parse(line[key.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture)));

    [LibraryImport("libc", EntryPoint = "clock_getcpuclockid", SetLastError = true)]
    private static partial int ClockOf(int process, out int clock);

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int ReadClock(int clock, out TimeSpec time);
}
