using System.Diagnostics;
using Hazumu.Bench.Load;
using Hazumu.Bench.Processes;
using Hazumu.Bench.Proxies;
using Hazumu.Bench.Reports;

namespace Hazumu.Bench;

/// <summary>The gateway beside other proxies and beside none, in front of one engine.</summary>
internal sealed class GatewayBenchmark(GatewayBenchmarkSettings settings, EngineProcess engine, TargetFactory factory)
{
    private static readonly TimeSpan s_settling = TimeSpan.FromSeconds(5);

    private readonly List<SmallMeasurement> _small = [];
    private readonly List<StreamMeasurement> _streams = [];
    private readonly List<MemoryMeasurement> _memory = [];
    private readonly List<SoakMeasurement> _soak = [];
    private readonly Dictionary<string, string> _leftOut = [];

    public static async Task RunAsync(GatewayBenchmarkSettings settings)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-bench-");
        try
        {
            using var engine = await EngineProcess.StartAsync(
                folder.FullName,
                new
                {
                    addresses = settings.Instances,
                    models = new[] { new { name = BenchModel.Name } },
                    parallel = 1_000_000,
                    tokens = 1_000_000,
                    timestamps = true,
                    tokenBytes = 20,
                });
            var factory = new TargetFactory(
                engine,
                folder.FullName,
                settings.Workers,
                settings.GatewayPath,
                settings.GatewayEnvironment,
                settings.Variants,
                settings.Instances,
                settings.UsesKeys ? "the-key-of-the-benchmark" : null,
                settings.Olla);
            await new GatewayBenchmark(settings, engine, factory).RunAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task RunAsync()
    {
        var began = Stopwatch.GetTimestamp();
        if (settings.SoakMinutes > 0)
        {
            await SoakAsync();
        }
        else
        {
            await MeasureMemoryAsync();
            await MeasureRoundsAsync();
        }

        var machine = Machine.Read(settings.Olla);
        Console.WriteLine(GatewayReport.Write(settings, machine, _small, _streams, _memory, _soak, _leftOut));
        var file = ResultFile.Write(
            settings.Output,
            "gateway",
            new { machine, settings, leftOut = _leftOut, small = _small, streams = _streams, memory = _memory, soak = _soak });
        Tell($"{Stopwatch.GetElapsedTime(began).TotalSeconds:0} s; every round is in {file}");
    }

    private async Task MeasureRoundsAsync()
    {
        var targets = new List<Target>();
        try
        {
            foreach (var name in settings.Targets.Where(name => !_leftOut.ContainsKey(name)))
            {
                if (await StartAsync(name) is { } target)
                {
                    targets.Add(target);
                }
            }

            foreach (var target in targets)
            {
                Tell($"warming up {target.Name}");
                await WarmUpAsync(target, settings.WarmUpSeconds);
            }

            for (var round = 1; round <= settings.Rounds; round++)
            {
                // Each round begins with another target, so that none is always measured after the same one.
                foreach (var target in targets.Skip((round - 1) % targets.Count).Concat(targets.Take((round - 1) % targets.Count)))
                {
                    Tell($"round {round} of {settings.Rounds}: {target.Name}");
                    _small.Add(await MeasureSmallAsync(target, round));
                    foreach (var streams in settings.Streams)
                    {
                        _streams.Add(await MeasureStreamsAsync(target, round, streams));
                    }
                }
            }
        }
        finally
        {
            targets.ForEach(target => target.Dispose());
        }
    }

    private async Task<Target?> StartAsync(string name)
    {
        try
        {
            return await factory.StartAsync(name);
        }
        catch (NotReadyException failure)
        {
            _leftOut[name] = failure.Message;
            Tell($"{name} is left out: {failure.Message}");
            return null;
        }
    }

    private async Task WarmUpAsync(Target target, double seconds)
    {
        await engine.ChangeAsync(new { tokenTime = 0 });
        using (var loop = new LoadLoop(target.EndPoint))
        {
            new ClosedLoad(loop, settings.Connections, target.Form.Small(BenchModel.Name)).Start();
            loop.Run(Seconds.FromNow(seconds));
        }

        await engine.ChangeAsync(new { tokenTime = GatewayBenchmarkSettings.TokenSeconds });
        using (var loop = new LoadLoop(target.EndPoint))
        {
            new StreamLoad(loop, target.Form, streams: 200, tokens: 20, seed: 0).Start(ramp: 0.2);
            loop.Run(Seconds.FromNow(seconds));
        }

        await engine.WaitUntilIdleAsync();
    }

    private async Task<SmallMeasurement> MeasureSmallAsync(Target target, int round)
    {
        await engine.ChangeAsync(new { tokenTime = 0 });
        using var loop = new LoadLoop(target.EndPoint);
        var load = new ClosedLoad(loop, settings.Connections, target.Form.Small(BenchModel.Name));
        load.Start();
        loop.Run(Seconds.FromNow(0.5));

        load.IsMeasuring = true;
        var before = CpuTimes.Read(target, engine);
        loop.Run(Seconds.FromNow(settings.Seconds));
        var used = CpuTimes.Read(target, engine) - before;
        load.IsMeasuring = false;

        var thousands = Math.Max(1, load.Latency.Count) / 1000.0;
        return new SmallMeasurement(
            target.Name,
            round,
            load.Latency.Count / used.Seconds,
            load.Latency.Milliseconds(0.5),
            load.Latency.Milliseconds(0.99),
            used.Target * 1000 / thousands,
            used.Engine * 1000 / thousands,
            used.Load * 1000 / thousands,
            used.Others,
            loop.Errors,
            loop.FirstError);
    }

    private async Task<StreamMeasurement> MeasureStreamsAsync(Target target, int round, int streams)
    {
        await engine.ChangeAsync(new { tokenTime = GatewayBenchmarkSettings.TokenSeconds });
        using var loop = new LoadLoop(target.EndPoint);
        var load = new StreamLoad(loop, target.Form, streams, GatewayBenchmarkSettings.TokensOf(streams), seed: round);
        load.Start(GatewayBenchmarkSettings.RampOf(streams));
        loop.Run(Seconds.FromNow(GatewayBenchmarkSettings.RampOf(streams) + 0.5));

        load.IsMeasuring = true;
        var before = CpuTimes.Read(target, engine);
        loop.Run(Seconds.FromNow(settings.Seconds));
        var used = CpuTimes.Read(target, engine) - before;
        load.IsMeasuring = false;
        loop.Dispose();
        await engine.WaitUntilIdleAsync();

        var thousands = Math.Max(1, load.ChunkLatency.Count) / 1000.0;
        return new StreamMeasurement(
            target.Name,
            round,
            streams,
            load.ChunkLatency.Count / used.Seconds,
            load.FirstByte.Milliseconds(0.5),
            load.FirstByte.Milliseconds(0.99),
            load.ChunkLatency.Milliseconds(0.5),
            load.ChunkLatency.Milliseconds(0.99),
            load.ChunkLatency.Milliseconds(0.999),
            load.LongestPause,
            used.Target * 1000 / thousands,
            used.Engine * 1000 / thousands,
            used.Load * 1000 / thousands,
            used.Others,
            loop.Errors,
            loop.FirstError);
    }

    /// <summary>Measures with fresh processes: what once had many streams open keeps memory for the next ones.</summary>
    private async Task MeasureMemoryAsync()
    {
        var streams = settings.Streams.Max();
        for (var round = 1; round <= settings.MemoryRounds; round++)
        {
            foreach (var name in settings.Targets.Where(name => name != TargetFactory.Direct && !_leftOut.ContainsKey(name)))
            {
                using var target = await StartAsync(name);
                if (target is null)
                {
                    continue;
                }

                Tell($"memory, round {round} of {settings.MemoryRounds}: {name}");
                await WarmUpAsync(target, 1);
                await Task.Delay(1000);
                var idle = Usage.ProportionalBytes(target.Ids);

                using var loop = new LoadLoop(target.EndPoint);
                new StreamLoad(loop, target.Form, streams, GatewayBenchmarkSettings.TokensOf(streams), seed: round).Start(GatewayBenchmarkSettings.RampOf(streams));
                loop.Run(Seconds.FromNow(GatewayBenchmarkSettings.RampOf(streams) + 2));
                var open = Usage.ProportionalBytes(target.Ids);
                _memory.Add(new MemoryMeasurement(name, round, streams, idle, open, loop.Errors));
                loop.Dispose();
                await engine.WaitUntilIdleAsync();
            }
        }
    }

    /// <summary>Holds each proxy under streams and small requests for minutes, and reads its memory before, within and after.</summary>
    private async Task SoakAsync()
    {
        const int SmallConnections = 8;
        var streams = settings.Streams.Max();
        foreach (var name in settings.Targets.Where(name => name != TargetFactory.Direct))
        {
            using var target = await StartAsync(name);
            if (target is null)
            {
                continue;
            }

            Tell($"soak of {settings.SoakMinutes} min: {name}");
            await WarmUpAsync(target, settings.WarmUpSeconds);
            await Task.Delay(s_settling);
            var idle = Usage.ProportionalBytes(target.Ids);

            using var loop = new LoadLoop(target.EndPoint);
            var load = new StreamLoad(loop, target.Form, streams, GatewayBenchmarkSettings.TokensOf(streams), seed: 1);
            var small = new ClosedLoad(loop, SmallConnections, target.Form.Small(BenchModel.Name));
            load.Start(GatewayBenchmarkSettings.RampOf(streams));
            small.Start();
            loop.Run(Seconds.FromNow(GatewayBenchmarkSettings.RampOf(streams) + 5));
            var first = Usage.ProportionalBytes(target.Ids);

            load.IsMeasuring = small.IsMeasuring = true;
            loop.Run(Seconds.FromNow(settings.SoakMinutes * 60));
            load.IsMeasuring = small.IsMeasuring = false;
            var last = Usage.ProportionalBytes(target.Ids);
            loop.Dispose();
            await engine.WaitUntilIdleAsync();
            await Task.Delay(s_settling);
            _soak.Add(new SoakMeasurement(
                name,
                streams,
                settings.SoakMinutes,
                idle,
                first,
                last,
                Usage.ProportionalBytes(target.Ids),
                load.ChunkLatency.Count,
                small.Latency.Count,
                load.ChunkLatency.Milliseconds(0.99),
                load.ChunkLatency.Milliseconds(0.999),
                load.LongestPause,
                loop.Errors,
                loop.FirstError));
        }
    }

    private static void Tell(string what) => Console.Error.WriteLine(what);
}
