using Hazumu.Bench.Proxies;

namespace Hazumu.Bench;

/// <summary>What the sizing benchmark does.</summary>
/// <param name="Steps">Sizes of a deployment.</param>
/// <param name="TokenSeconds">Time from one token of a stream to the next.</param>
/// <param name="Seconds">How long each measurement counts.</param>
/// <param name="Connections">Connections of the small requests.</param>
/// <param name="GatewayPath">The gateway's program.</param>
/// <param name="GatewayEnvironment">Added to the gateways' environment.</param>
/// <param name="Store">The Valkey of several gateways.</param>
/// <param name="StorePassword">Its password.</param>
/// <param name="Output">The file for the results, besides the tables; one with the time in its name unless given.</param>
internal sealed record SizingSettings(
    IReadOnlyList<SizingStep> Steps,
    double TokenSeconds,
    double Seconds,
    int Connections,
    string GatewayPath,
    IReadOnlyList<KeyValuePair<string, string>> GatewayEnvironment,
    string? Store,
    string StorePassword,
    string? Output)
{
    public static SizingSettings Read(IReadOnlyList<string> arguments)
    {
        var options = new Arguments(arguments, "--quick");
        var isQuick = options.Has("--quick");
        var settings = new SizingSettings(
            [.. options.Words("--steps", isQuick ? ["1:1:100", "100:2:1000"] : ["1:1:100", "10:1:1000", "50:1:5000", "100:2:10000"]).Select(SizingStep.Parse)],
            options.Number("--token", 1),
            options.Number("--seconds", isQuick ? 3 : 10),
            options.Whole("--connections", 64),
            options.Text("--gateway-dll") ?? GatewayProcess.DefaultPath,
            options.Pairs("--gateway-env"),
            options.Text("--store"),
            options.Text("--store-password") ?? "no-secret-in-a-benchmark",
            options.Text("--output"));
        options.ThrowIfUnknown();
        return settings;
    }
}

/// <summary>One size.</summary>
/// <param name="Instances">Engines, as the gateways see them.</param>
/// <param name="Gateways">Gateways in front of all of them.</param>
/// <param name="Streams">Streams that are open.</param>
internal sealed record SizingStep(int Instances, int Gateways, int Streams)
{
    private const int MostInstances = 254;

    public static SizingStep Parse(string text) =>
        text.Split(':') is [var instances, var gateways, var streams]
        && new SizingStep(Command.Whole(instances), Command.Whole(gateways), Command.Whole(streams)) is { Instances: > 0 and <= MostInstances, Gateways: > 0, Streams: > 0 } step
            ? step
            : throw new ArgumentException($"--steps takes INSTANCES:GATEWAYS:STREAMS,… with up to {MostInstances} instances, not '{text}'.");

    /// <summary>Slots of an instance: a tenth more than the streams need.</summary>
    public int Slots => (int)Math.Ceiling(1.1 * Streams / Instances) + 1;
}
