using System.Diagnostics;
using System.Globalization;
using System.Net;
using Hazumu.Bench.Load;
using Hazumu.Bench.Processes;
using Hazumu.Bench.Proxies;
using Hazumu.Bench.Reports;

namespace Hazumu.Bench;

/// <summary>
/// The resources that gateways need as a deployment grows: per polled instance, stream, chunk and request.
/// </summary>
internal sealed class SizingBenchmark(SizingSettings settings, string folder)
{
    // Opened no faster than this, so that what is measured is open streams and no rush.
    private const double StreamsPerSecond = 1_000;

    private static readonly IReadOnlyList<int> s_admissions = [1, 10, 100, 1_000];

    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(10);

    private readonly List<SizingMeasurement> _sizes = [];

    public static async Task RunAsync(SizingSettings settings)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-bench-");
        try
        {
            await new SizingBenchmark(settings, folder.FullName).RunAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task RunAsync()
    {
        var began = Stopwatch.GetTimestamp();
        var admissions = new List<AdmissionMeasurement>();
        foreach (var instances in s_admissions)
        {
            Tell($"admission, {instances} instances");
            admissions.Add(await AdmissionBenchmark.MeasureAsync(instances));
        }

        foreach (var step in settings.Steps)
        {
            _sizes.Add(await MeasureAsync(step));
        }

        var machine = Machine.Read();
        Console.WriteLine(SizingReport.Write(settings, machine, _sizes, admissions));
        var file = ResultFile.Write(settings.Output, "sizing", new { machine, settings, sizes = _sizes, admissions });
        Tell($"{Stopwatch.GetElapsedTime(began).TotalSeconds:0} s; all numbers are in {file}");
    }

    private async Task<SizingMeasurement> MeasureAsync(SizingStep step)
    {
        Tell($"{step.Instances} instances, {step.Gateways} gateways, {step.Streams} streams");
        using var engine = await EngineProcess.StartAsync(folder, new
        {
            addresses = step.Instances,
            models = new[] { new { name = BenchModel.Name } },
            parallel = 1_000_000,
            tokens = 1_000_000,
            timestamps = true,
            tokenBytes = 20,
        });
        var gateways = new List<Target>();
        try
        {
            await StartAsync(step, engine, gateways);
            await WarmUpAsync(engine, gateways);

            // The pools have forgotten the warm-up's connections by then, or will soon; polls go on.
            var idle = await IdleAsync(engine, gateways);
            var idleBytes = gateways.Average(gateway => Usage.ProportionalBytes(gateway.Ids));
            var small = await MeasureSmallAsync(engine, gateways);
            return await MeasureStreamsAsync(step, engine, gateways, idle) with
            {
                IdlePerSecond = idle,
                IdleBytes = idleBytes,
                RequestsPerSecond = small.PerSecond,
                PerThousandRequests = small.Own,
                PerThousandAdmissions = small.Admitting,
            };
        }
        finally
        {
            gateways.ForEach(gateway => gateway.Dispose());
        }
    }

    // One after the other: the first one leads.
    private async Task StartAsync(SizingStep step, EngineProcess engine, List<Target> gateways)
    {
        int[] ports = [.. Enumerable.Range(0, step.Gateways).Select(_ => ChildProcess.FreePort())];
        var environment = Enumerable.Range(1, step.Instances)
            .Select(number => KeyValuePair.Create($"Gateway__Engines__i{number}__Url", $"http://127.0.0.{number}:{engine.Port}"))
            .Append(new("Gateway__Slots", step.Slots.ToString(CultureInfo.InvariantCulture)))
            .Append(new("Gateway__Queue__Limit", "100000"));
        if (step.Gateways > 1)
        {
            environment = environment
                .Append(new("Gateway__Cluster__Store", settings.Store ?? throw new InvalidOperationException("Several gateways need a store: name one with --store, such as 127.0.0.1:6379.")))
                .Append(new("Gateway__Cluster__Password", settings.StorePassword))
                .Append(new("Gateway__Cluster__Port", "0"));
        }

        foreach (var port in ports)
        {
            var process = GatewayProcess.Start(settings.GatewayPath, folder, port, environment.Concat(settings.GatewayEnvironment));
            gateways.Add(new Target($"gateway-{gateways.Count}", new IPEndPoint(IPAddress.Loopback, port), process));
            await Readiness.WaitAsync(new Uri($"http://127.0.0.1:{port}"), process, BenchModel.Name);
        }
    }

    private async Task WarmUpAsync(EngineProcess engine, List<Target> gateways)
    {
        await engine.ChangeAsync(new { tokenTime = 0 });
        using (var loop = new LoadLoop([.. gateways.Select(gateway => gateway.EndPoint)]))
        {
            new ClosedLoad(loop, settings.Connections, new RequestTemplate().Small(BenchModel.Name)).Start();
            loop.Run(Seconds.FromNow(3));
        }

        await engine.ChangeAsync(new { tokenTime = 0.05 });
        using (var loop = new LoadLoop([.. gateways.Select(gateway => gateway.EndPoint)]))
        {
            new StreamLoad(loop, new(), streams: 200, tokens: 20, seed: 0).Start(ramp: 0.2);
            loop.Run(Seconds.FromNow(3));
        }

        // What the compiler does behind the warm-up is no part of being idle.
        await engine.WaitUntilIdleAsync();
        await Task.Delay(s_settling);
    }

    private async Task<double> IdleAsync(EngineProcess engine, List<Target> gateways)
    {
        var before = gateways.Select(gateway => CpuTimes.Read(gateway, engine)).ToList();
        await Task.Delay(TimeSpan.FromSeconds(settings.Seconds));
        return gateways.Select((gateway, index) => CpuTimes.Read(gateway, engine) - before[index]).Average(used => used.Target * 1000 / used.Seconds);
    }

    private async Task<(double PerSecond, double Own, double Admitting)> MeasureSmallAsync(EngineProcess engine, List<Target> gateways)
    {
        await engine.ChangeAsync(new { tokenTime = 0 });
        using var loop = new LoadLoop(gateways[^1].EndPoint);
        var load = new ClosedLoad(loop, settings.Connections, new RequestTemplate().Small(BenchModel.Name));
        load.Start();
        loop.Run(Seconds.FromNow(0.5));

        load.IsMeasuring = true;
        var (own, admitting) = (CpuTimes.Read(gateways[^1], engine), CpuTimes.Read(gateways[0], engine));
        loop.Run(Seconds.FromNow(settings.Seconds / 2));
        (own, admitting) = (CpuTimes.Read(gateways[^1], engine) - own, CpuTimes.Read(gateways[0], engine) - admitting);
        load.IsMeasuring = false;
        loop.Dispose();
        await engine.WaitUntilIdleAsync();
        var thousands = Math.Max(1, load.Latency.Count) / 1000.0;
        return (load.Latency.Count / own.Seconds, own.Target * 1000 / thousands, gateways.Count > 1 ? admitting.Target * 1000 / thousands : 0);
    }

    private async Task<SizingMeasurement> MeasureStreamsAsync(SizingStep step, EngineProcess engine, List<Target> gateways, double idle)
    {
        await engine.ChangeAsync(new { tokenTime = settings.TokenSeconds });
        using var loop = new LoadLoop([.. gateways.Select(gateway => gateway.EndPoint)]);

        // A minute's worth of tokens each: some end and others begin while it is measured.
        var load = new StreamLoad(loop, new(), step.Streams, Math.Max(20, (int)(60 / settings.TokenSeconds)), seed: 1);
        var ramp = step.Streams / StreamsPerSecond;
        load.Start(ramp);
        loop.Run(Seconds.FromNow(ramp + 5));

        load.IsMeasuring = true;
        var before = gateways.Select(gateway => CpuTimes.Read(gateway, engine)).ToList();
        loop.Run(Seconds.FromNow(settings.Seconds));
        var used = gateways.Select((gateway, index) => CpuTimes.Read(gateway, engine) - before[index]).ToList();
        load.IsMeasuring = false;
        var openBytes = gateways.Average(gateway => Usage.ProportionalBytes(gateway.Ids));
        var descriptors = gateways.Max(gateway => gateway.Ids.Max(id => Directory.EnumerateFileSystemEntries($"/proc/{id}/fd").Count()));
        loop.Dispose();

        var cpu = used.Sum(one => one.Target);
        var others = used[0] with { Target = cpu };
        return new SizingMeasurement(
            step,
            0,
            0,
            openBytes,
            load.ChunkLatency.Count / used[0].Seconds,
            ((cpu * 1000) - (idle * gateways.Count * used[0].Seconds)) / (Math.Max(1, load.ChunkLatency.Count) / 1000.0),
            load.ChunkLatency.Milliseconds(0.5),
            load.ChunkLatency.Milliseconds(0.99),
            descriptors,
            0,
            0,
            0,
            others.Others,
            loop.Errors,
            loop.FirstError);
    }

    private static void Tell(string what) => Console.Error.WriteLine(what);
}
