using Hazumu.Bench;
using Hazumu.Bench.Proxies;

switch (args)
{
    case ["gateway", .. var rest]:
        return await Command.RunAsync(() => GatewayBenchmark.RunAsync(GatewayBenchmarkSettings.Read(rest)));
    case ["routing", .. var rest]:
        return await Command.RunAsync(() => RoutingBenchmark.RunAsync(RoutingSettings.Read(rest)));

    case ["crowd", .. var rest]:
        return await Command.RunAsync(() => CrowdBenchmark.RunAsync(rest));
    case ["sizing", .. var rest]:
        return await Command.RunAsync(() => SizingBenchmark.RunAsync(SizingSettings.Read(rest)));

    // The processes that the benchmarks start.
    case ["engine", var options]:
        await Hazumu.Mocks.MockEngine.RunAsync(options);
        return 0;
    case ["yarp", var port, var engine]:
        await BareYarp.RunAsync(Command.Whole(port), engine);
        return 0;
    case ["balance", var port, var policy, .. var engines]:
        await Balancer.RunAsync(Command.Whole(port), policy, engines);
        return 0;

    default:
        await Console.Error.WriteLineAsync("gateway, routing, crowd or sizing, with their options; bench/README.md describes them.");
        return 2;
}
