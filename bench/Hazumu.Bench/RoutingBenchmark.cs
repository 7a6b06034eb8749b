using System.Diagnostics;
using System.Globalization;
using System.Net;
using Hazumu.Bench.Load;
using Hazumu.Bench.Processes;
using Hazumu.Bench.Proxies;
using Hazumu.Bench.Reports;

namespace Hazumu.Bench;

/// <summary>
/// The gateway's choice of instances compared with other policies, in front of engines that cannot keep every model in
/// memory.
/// </summary>
internal sealed class RoutingBenchmark(RoutingSettings settings, string folder, IReadOnlyList<EngineProcess> engines)
{
    /// <summary>For a proxy to see that memory is empty again, and for what was late to arrive.</summary>
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(3);

    /// <summary>After the last arrival, in seconds; who has not been answered by then counts as failed.</summary>
    private const double Patience = 120;

    private readonly List<RoutingMeasurement> _measurements = [];
    private readonly Dictionary<string, string> _leftOut = [];

    public static async Task RunAsync(RoutingSettings settings)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-bench-");
        var engines = new List<EngineProcess>();
        try
        {
            for (var i = 0; i < settings.Instances; i++)
            {
                engines.Add(await EngineProcess.StartAsync(folder.FullName, new
                {
                    models = Arrivals.Models(settings.Models).Select(name => new { name }),
                    memoryModels = settings.MemoryModels,
                    parallel = settings.Parallel,
                    tokens = 1_000_000,
                    timestamps = true,
                    tokenBytes = 20,
                }));
            }

            await new RoutingBenchmark(settings, folder.FullName, engines).RunAsync();
        }
        finally
        {
            engines.ForEach(engine => engine.Dispose());
            folder.Delete(recursive: true);
        }
    }

    private async Task RunAsync()
    {
        var began = Stopwatch.GetTimestamp();
        var targets = new List<Target>();
        try
        {
            await ChangeAllAsync(new { loadTime = 0, prefillTime = 0, tokenTime = 0 });
            foreach (var name in settings.Targets)
            {
                if (await StartAsync(name) is { } target)
                {
                    targets.Add(target);
                    WarmUp(target);
                }
            }

            await ChangeAllAsync(
                new { loadTime = settings.LoadSeconds, prefillTime = settings.PrefillSeconds, tokenTime = settings.TokenSeconds });
            for (var round = 1; round <= settings.Rounds; round++)
            {
                foreach (var target in targets.Skip((round - 1) % targets.Count).Concat(targets.Take((round - 1) % targets.Count)))
                {
                    _measurements.Add(await MeasureAsync(target, round));
                }
            }
        }
        finally
        {
            targets.ForEach(target => target.Dispose());
        }

        var machine = Machine.Read();
        Console.WriteLine(RoutingReport.Write(settings, machine, _measurements, _leftOut));
        var file = ResultFile.Write(
            settings.Output, "routing", new { machine, settings, leftOut = _leftOut, measurements = _measurements });
        Tell($"{Stopwatch.GetElapsedTime(began).TotalSeconds:0} s; every round is in {file}");
    }

    private async Task<Target?> StartAsync(string name)
    {
        var port = ChildProcess.FreePort();
        try
        {
            var process = name == "gateway"
                ? GatewayProcess.Start(settings.GatewayPath, folder, port, GatewayEnvironment())
                : ChildProcess.StartSelf(
                    name, folder, ["balance", $"{port}", RoutingSettings.Policies[name], .. engines.Select(engine => engine.Address.AbsoluteUri)]);
            try
            {
                await Readiness.WaitAsync(new Uri($"http://127.0.0.1:{port}"), process, Arrivals.Models(1)[0]);
                return new Target(name, new IPEndPoint(IPAddress.Loopback, port), process);
            }
            catch (NotReadyException)
            {
                process.Dispose();
                throw;
            }
        }
        catch (NotReadyException failure)
        {
            _leftOut[name] = failure.Message;
            Tell($"{name} is left out: {failure.Message}");
            return null;
        }
    }

    private IEnumerable<KeyValuePair<string, string>> GatewayEnvironment() => engines
        .Select((engine, index) => KeyValuePair.Create(
            $"Gateway__Engines__{(char)('a' + index)}__Url", $"http://127.0.0.1:{engine.Port}"))
        .Append(new("Gateway__Slots", settings.Parallel.ToString(CultureInfo.InvariantCulture)))
        .Concat(settings.GatewayEnvironment);

    private static void WarmUp(Target target)
    {
        using var loop = new LoadLoop(target.EndPoint);
        new ClosedLoad(loop, 4, new RequestTemplate().Stream(Arrivals.Models(1)[0], 20)).Start();
        loop.Run(Seconds.FromNow(2));
    }

    private async Task<RoutingMeasurement> MeasureAsync(Target target, int round)
    {
        foreach (var engine in engines)
        {
            await engine.WaitUntilIdleAsync();
            await engine.ResetAsync();
        }

        await Task.Delay(s_pause);
        var arrivals = Arrivals.Make(round, settings.Seconds, settings.Rate, settings.Models, settings.Skew);
        Tell($"round {round} of {settings.Rounds}: {target.Name}, {arrivals.Count} requests");
        using var loop = new LoadLoop(target.EndPoint);
        var load = new OpenLoad(loop);
        load.Start(arrivals);
        loop.Run(Seconds.FromNow(settings.Seconds + Patience), () => load.IsOver(arrivals.Count));
        loop.Dispose();

        var counts = await Task.WhenAll(engines.Select(engine => engine.CountsAsync()));
        return new RoutingMeasurement(
            target.Name,
            round,
            arrivals.Count,
            counts.Sum(count => count.ColdLoads),
            counts.Sum(count => count.Evictions),
            load.FirstToken.Milliseconds(0.5) / 1000,
            load.FirstToken.Milliseconds(0.95) / 1000,
            load.Tokens / load.Duration,
            Statistic.Median(load.Rates),
            arrivals.Count - load.Answered,
            loop.FirstError);
    }

    private Task ChangeAllAsync(object options) => Task.WhenAll(engines.Select(engine => engine.ChangeAsync(options)));

    private static void Tell(string what) => Console.Error.WriteLine(what);
}
