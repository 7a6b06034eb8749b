using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using Hazumu.Gateway.Admission;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>
/// What a request waits longer because another gateway admits it. Explicit, since a busy machine decides it:
/// <c>dotnet test Hazumu.Gateway.Tests --configuration Release --filter AdmissionOverheadTests --logger "console;verbosity=detailed" -- xUnit.Explicit=only</c>.
/// </summary>
public sealed class AdmissionOverheadTests(ITestOutputHelper output)
{
    private const int PerSecond = 200;
    private const int Count = 2_000;
    private const int WarmUp = 400;
    private const double AllowedMilliseconds = 2;

    [Theory(Explicit = true)]
    [InlineData(1)]
    [InlineData(16)]
    public async Task A_slot_by_way_of_the_leader_takes_little_longer_than_its_own(int callers)
    {
        await using var engine = await MockEngine.StartAsync(new() { Parallel = 1_000 });
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address], "--Gateway:Slots=1000");
        output.WriteLine($"{Environment.ProcessorCount} cores, load average {await LoadAsync()}, {RuntimeInformation.FrameworkDescription}, {(typeof(IAdmission).Assembly.GetCustomAttribute<DebuggableAttribute>()?.IsJITOptimizerDisabled == true ? "debug" : "release")} build; both gateways in one process, {Count} slots for each, {PerSecond} a second, by {callers} callers.");
        foreach (var gateway in group.All)
        {
            await MeasureAsync(gateway, callers, WarmUp);
        }

        var (leader, member) = (await MeasureAsync(group[0], callers, Count), await MeasureAsync(group[1], callers, Count));

        output.WriteLine($"p50, p99, longest in ms: leader {Describe(leader)}; member {Describe(member)}; load average {await LoadAsync()}.");
        Assert.InRange(At(member, 0.99) - At(leader, 0.99), double.MinValue, AllowedMilliseconds);
    }

    private static async Task<List<double>> MeasureAsync(TestGateway gateway, int callers, int count)
    {
        var admission = gateway.Service<IAdmission>();
        var each = await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            var taken = new List<double>(count / callers);
            using var pace = new PeriodicTimer(TimeSpan.FromSeconds((double)callers / PerSecond));
            while (taken.Count < count / callers && await pace.WaitForNextTickAsync())
            {
                var begun = Stopwatch.GetTimestamp();
                var decision = await admission.AcquireSlotAsync(new Ticket("mock:latest", 0, "somebody"), CancellationToken.None);
                taken.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
                decision.Lease!.Release(LeaseEnd.Answered);
            }

            return taken;
        })));
        return [.. each.SelectMany(taken => taken).Order()];
    }

    private static double At(List<double> sorted, double share) => sorted[(int)(share * (sorted.Count - 1))];

    private static string Describe(List<double> sorted) => $"{At(sorted, 0.5):0.00}, {At(sorted, 0.99):0.00}, {sorted[^1]:0.0}";

    private static async Task<string> LoadAsync() => File.Exists("/proc/loadavg") ? (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0] : "unknown";
}
