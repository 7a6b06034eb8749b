using Hazumu.Bench.Proxies;

namespace Hazumu.Bench;

/// <summary>The settings of the routing benchmark.</summary>
/// <param name="Rounds">How often every target gets its arrivals; another sequence each time, the same for every target.</param>
/// <param name="Seconds">How long requests arrive.</param>
/// <param name="Rate">Requests a second.</param>
/// <param name="Instances">Engines.</param>
/// <param name="MemoryModels">Models that fit into an engine's memory.</param>
/// <param name="Models">The requested models.</param>
/// <param name="Skew">Exponent of Zipf's law for their popularity.</param>
/// <param name="Parallel">Slots of a model.</param>
/// <param name="LoadSeconds">Time to load a model.</param>
/// <param name="PrefillSeconds">Time to read a prompt.</param>
/// <param name="TokenSeconds">Time to make a token.</param>
/// <param name="Targets">The measured targets.</param>
/// <param name="GatewayPath">The gateway's program.</param>
/// <param name="GatewayEnvironment">Added to the gateway's environment.</param>
/// <param name="Output">The file for the results, besides the table; one with the time in its name unless given.</param>
internal sealed record RoutingSettings(
    int Rounds,
    double Seconds,
    double Rate,
    int Instances,
    int MemoryModels,
    int Models,
    double Skew,
    int Parallel,
    double LoadSeconds,
    double PrefillSeconds,
    double TokenSeconds,
    IReadOnlyList<string> Targets,
    string GatewayPath,
    IReadOnlyList<KeyValuePair<string, string>> GatewayEnvironment,
    string? Output)
{
    public const string RoundRobin = "roundrobin";

    /// <summary>The names of YARP's policies for those of ours.</summary>
    public static IReadOnlyDictionary<string, string> Policies { get; } = new Dictionary<string, string>
    {
        [RoundRobin] = "RoundRobin",
        ["leastconn"] = "LeastRequests",
        ["random"] = "Random",
    };

    private static IReadOnlyList<string> Names { get; } = [RoundRobin, "leastconn", "random", "gateway"];

    public static RoutingSettings Read(IReadOnlyList<string> arguments)
    {
        var options = new Arguments(arguments, "--quick");
        var isQuick = options.Has("--quick");
        var settings = new RoutingSettings(
            options.Whole("--rounds", isQuick ? 1 : 3),
            options.Number("--seconds", isQuick ? 20 : 40),
            options.Number("--rate", 8),
            options.Whole("--instances", 3),
            options.Whole("--memory-models", 2),
            options.Whole("--models", 5),
            options.Number("--skew", 1),
            options.Whole("--parallel", 4),
            options.Number("--load", 2),
            options.Number("--prefill", 0.05),
            options.Number("--token", 0.01),
            options.Words("--targets", Names),
            options.Text("--gateway-dll") ?? GatewayProcess.DefaultPath,
            options.Pairs("--gateway-env"),
            options.Text("--output"));
        options.ThrowIfUnknown();
        if (settings.Targets.Except(Names).FirstOrDefault() is { } unknown)
        {
            throw new ArgumentException($"There is no target {unknown}; there are {string.Join(", ", Names)}.");
        }

        return settings with { Targets = [RoundRobin, .. settings.Targets.Where(name => name != RoundRobin)] };
    }
}
