using System.Diagnostics;
using System.Globalization;
using Hazumu.Bench.Proxies;

namespace Hazumu.Bench.Processes;

/// <summary>Seconds of CPU of everybody who takes part, of the whole machine, and of the wall clock.</summary>
internal readonly record struct CpuTimes(double Target, double Engine, double Load, double Machine, double Seconds)
{
    /// <summary>The kernel's unit in <c>/proc/stat</c>, the same on every machine that .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    /// <summary>Share of the machine that others had: what makes these numbers worse than they are.</summary>
    public double Others => Math.Max(0, (Machine - Target - Engine - Load) / (Seconds * Environment.ProcessorCount));

    public static CpuTimes Read(Target target, EngineProcess engine) => new(
        Usage.CpuSeconds(target.Ids),
        Usage.CpuSeconds([engine.Id]),
        Usage.CpuSeconds([Environment.ProcessId]),
        MachineSeconds(),
        Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency);

    public static CpuTimes operator -(CpuTimes after, CpuTimes before) => new(
        after.Target - before.Target,
        after.Engine - before.Engine,
        after.Load - before.Load,
        after.Machine - before.Machine,
        after.Seconds - before.Seconds);

    /// <summary>Everything but idling and waiting for disks; what the hypervisor took away is in it.</summary>
    private static double MachineSeconds()
    {
        const int Idle = 3, WaitingForDisks = 4, Guests = 8;
        return File.ReadLines("/proc/stat").First()
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..]
            .Take(Guests)
            .Where((_, index) => index is not (Idle or WaitingForDisks))
            .Sum(ticks => long.Parse(ticks, CultureInfo.InvariantCulture)) / TicksPerSecond;
    }
}
