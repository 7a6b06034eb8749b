using Hazumu.Bench.Processes;
using Hazumu.Bench.Reports;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Upstreams;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Bench;

/// <summary>
/// The cost of choosing an instance and counting its slots, without network: it happens under one lock, for all
/// requests.
/// </summary>
internal static class AdmissionBenchmark
{
    private const string Model = "m:latest";
    private const int Slots = 4;
    private const int Waiting = 1_000;
    private const int Keys = 10;

    public static async Task<AdmissionMeasurement> MeasureAsync(int instances)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Gateway:Slots", $"{Slots}"), new("Gateway:Queue:Limit", "100000"), new("Gateway:Queue:Timeout", "1h")]).Build();
        using var settings = new Hazumu.Gateway.Configuration.GatewaySettings(() => configuration, [], NullLogger<Hazumu.Gateway.Configuration.GatewaySettings>.Instance);
        var fleet = new Fleet(settings, TimeProvider.System);
        using var scheduler = new Scheduler(fleet, settings, TimeProvider.System);
        using var connections = new SocketsHttpHandler();
        var all = Enumerable.Range(0, instances).Select(number => new Instance($"i{number:000}", new Uri($"http://i{number}:11434"), null, connections)).ToList();
        fleet.SetInstances(all);
        foreach (var instance in all)
        {
            fleet.OnStored(instance, new Dictionary<string, StoredModel> { [Model] = new(Model, 1) });
            fleet.OnProbe(instance, isUp: true);
            fleet.OnResident(instance, [new ResidentModel(Model, 1, 1, default)], fleet.Now);
        }

        var free = await TimeAsync(async number =>
        {
            var admission = await scheduler.AcquireAsync(new Ticket(Model, (ulong)number + 1, "key"), CancellationToken.None);
            admission.Lease!.Release(LeaseEnd.Answered);
        });

        var held = new Queue<Lease>();
        for (var slot = 0; slot < instances * Slots; slot++)
        {
            held.Enqueue((await scheduler.AcquireAsync(new Ticket(Model, (ulong)slot + 1, "key"), CancellationToken.None)).Lease!);
        }

        var waiting = new Queue<(Ticket Ticket, Task<SlotDecision> Admission)>();
        var full = await TimeAsync(async number =>
        {
            while (waiting.Count < Waiting)
            {
                var ticket = new Ticket(Model, (ulong)number + 1, $"key {(number + waiting.Count) % Keys}");
                waiting.Enqueue((ticket, scheduler.AcquireAsync(ticket, CancellationToken.None).AsTask()));
            }

            // The first request has its turn, since the keys take turns too.
            held.Dequeue().Release(LeaseEnd.Answered);
            held.Enqueue((await waiting.Dequeue().Admission).Lease!);
        });
        return new AdmissionMeasurement(instances, free, full);
    }

    // CPU of this process, the best of some runs: others on the machine make it more, nothing makes it less.
    private static async Task<double> TimeAsync(Func<int, Task> once)
    {
        const int Runs = 25, Times = 3_000;
        var best = double.MaxValue;
        for (var run = 0; run < Runs; run++)
        {
            var began = Usage.CpuSeconds([Environment.ProcessId]);
            for (var number = 0; number < Times; number++)
            {
                await once(number);
            }

            best = Math.Min(best, (Usage.CpuSeconds([Environment.ProcessId]) - began) * 1e6 / Times);
        }

        return best;
    }
}
