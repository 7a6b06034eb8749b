using System.Runtime.InteropServices;

namespace Hazumu.Bench.Processes;

/// <summary>The machine and the versions with which the numbers were measured.</summary>
internal sealed record Machine(
    string Cpu, int Cores, string Kernel, double MemoryGiB, string Dotnet, string? Nginx, string? HAProxy, string Yarp, string? Olla)
{
    public static Machine Read(string? olla = null) => new(
        ValueOf("/proc/cpuinfo", "model name") ?? RuntimeInformation.ProcessArchitecture.ToString(),
        Environment.ProcessorCount,
        File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30), 1),
        RuntimeInformation.FrameworkDescription,
        Programs.FirstLine("nginx", "-v"),
        Programs.FirstLine("haproxy", "-v"),
        typeof(Yarp.ReverseProxy.Forwarder.IHttpForwarder).Assembly.GetName().Version!.ToString(3),
        olla is not null && File.Exists(olla) ? Programs.FirstLine(Path.GetFullPath(olla), "--version") : null);

    public override string ToString() =>
        $"{Cpu}, {Cores} cores, {MemoryGiB:0.#} GiB, Linux {Kernel}; {Dotnet}, YARP {Yarp}{Also(Nginx)}{Also(HAProxy)}{Also(Olla)}";

    private static string Also(string? version) => version is null ? "" : $"; {version}";

    private static string? ValueOf(string file, string key) => File.ReadLines(file)
        .FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
