using Hazumu.Bench.Proxies;

namespace Hazumu.Bench;

/// <summary>The settings of the gateway benchmark.</summary>
/// <param name="Rounds">How often every target is measured.</param>
/// <param name="Seconds">How long each of a round's measurements counts.</param>
/// <param name="WarmUpSeconds">How long each target is warmed up with either kind of load.</param>
/// <param name="MemoryRounds">How often memory is measured, each time with fresh processes.</param>
/// <param name="Targets">The measured targets.</param>
/// <param name="Connections">Connections of the small requests.</param>
/// <param name="Streams">Numbers of streams.</param>
/// <param name="Workers">Processes of nginx, threads of HAProxy.</param>
/// <param name="GatewayPath">The gateway's program.</param>
/// <param name="GatewayEnvironment">Added to the gateway's environment.</param>
/// <param name="Variants">Other gateways that are measured too, by name.</param>
/// <param name="Instances">Addresses of the engine.</param>
/// <param name="UsesKeys">Whether the gateway requires a key.</param>
/// <param name="Olla">Olla's program.</param>
/// <param name="SoakMinutes">How long each proxy is held under load instead of being measured in rounds; 0 for rounds.</param>
/// <param name="Output">The file for the results, besides the table; one with the time in its name unless given.</param>
internal sealed record GatewayBenchmarkSettings(
    int Rounds,
    double Seconds,
    double WarmUpSeconds,
    int MemoryRounds,
    IReadOnlyList<string> Targets,
    int Connections,
    IReadOnlyList<int> Streams,
    int Workers,
    string GatewayPath,
    IReadOnlyList<KeyValuePair<string, string>> GatewayEnvironment,
    IReadOnlyDictionary<string, GatewayVariant> Variants,
    int Instances,
    bool UsesKeys,
    string? Olla,
    double SoakMinutes,
    string? Output)
{
    /// <summary>Time from one token of a stream to the next, in seconds.</summary>
    public const double TokenSeconds = 0.05;

    public static GatewayBenchmarkSettings Read(IReadOnlyList<string> arguments)
    {
        var options = new Arguments(arguments, "--quick", "--keys");
        var isQuick = options.Has("--quick");
        var rounds = options.Whole("--rounds", isQuick ? 2 : 5);
        var path = options.Text("--gateway-dll") ?? GatewayProcess.DefaultPath;
        var settings = new GatewayBenchmarkSettings(
            rounds,
            options.Number("--seconds", isQuick ? 1.5 : 5),
            options.Number("--warm-up", isQuick ? 1.5 : 10),
            options.Whole("--memory-rounds", isQuick ? 1 : Math.Min(3, rounds)),
            options.Words("--targets", [.. TargetFactory.Names.Where(name => name != "olla" || options.Text("--olla") is not null)]),
            options.Whole("--connections", 64),
            [.. options.Words("--streams", ["1", "100", "1000"]).Select(Command.Whole)],
            options.Whole("--workers", 1),
            path,
            options.Pairs("--gateway-env"),
            options.Pairs("--variant").ToDictionary(pair => pair.Key, pair => GatewayVariant.Parse(pair.Value, path)),
            options.Whole("--instances", 1),
            options.Has("--keys"),
            options.Text("--olla"),
            options.Number("--soak", 0),
            options.Text("--output"));
        options.ThrowIfUnknown();
        if (settings.Targets.Except(TargetFactory.Names).FirstOrDefault() is { } unknown)
        {
            throw new ArgumentException($"There is no target {unknown}; there are {string.Join(", ", TargetFactory.Names)}.");
        }

        // The added time of a proxy is relative to direct.
        return settings with { Targets = [TargetFactory.Direct, .. settings.Targets.Where(name => name != TargetFactory.Direct), .. settings.Variants.Keys] };
    }

    /// <summary>Tokens of a stream: many, so that requests cost little beside chunks; few where otherwise hardly a first byte would be seen.</summary>
    public static int TokensOf(int streams) => streams < 10 ? 10 : 100;

    /// <summary>Seconds over which streams are opened.</summary>
    public static double RampOf(int streams) => streams < 10 ? 0 : 1 + (streams / 1000.0);
}
