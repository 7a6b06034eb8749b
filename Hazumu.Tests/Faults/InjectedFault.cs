using Hazumu.Testing;

namespace Hazumu.Tests.Faults;

/// <summary>What a fault has to lead to.</summary>
public enum Expectation
{
    /// <summary>Somebody is woken.</summary>
    Page,

    /// <summary>An alert for a working day.</summary>
    Warning,

    /// <summary>No alert at all.</summary>
    Silence,
}

/// <summary>A fault that can be injected into the running graph, and cured.</summary>
/// <param name="Name">What happens.</param>
/// <param name="How">How it is made to happen.</param>
/// <param name="Expectation">What it has to lead to.</param>
/// <param name="Alert">The right alert; empty where there is none.</param>
/// <param name="InjectAsync">Makes it happen.</param>
/// <param name="CureAsync">Takes it away; works also where the fault was made only in part.</param>
public sealed record InjectedFault(string Name, string How, Expectation Expectation, string Alert, Func<FaultBackend, Task> InjectAsync, Func<FaultBackend, Task> CureAsync)
{
    /// <summary>Why it cannot be injected on this machine, or <see langword="null"/> where it can.</summary>
    public string? Missing { get; init; }

    /// <summary>Whether it is over as soon as it has happened.</summary>
    public bool CuresItself { get; init; }

    /// <summary>What else must hold after the cure.</summary>
    public Func<FaultBackend, Task>? VerifyAsync { get; init; }

    private static readonly string s_second = FaultBackend.Instances[1];

    private static Crowd? s_crowd;

    /// <summary>Every fault, in the order of the table: those that spoil an error budget come last.</summary>
    public static readonly IReadOnlyList<InjectedFault> All =
    [
        new("One of two instances gone", "`docker kill` of `ollama-2`", Expectation.Page, "EngineDown",
            graph => graph.ContainerAsync(["kill"], s_second),
            graph => graph.ContainerAsync(["start"], s_second)),

        new("Engine hung", "`docker pause` of `ollama-2`: the kernel accepts connections, but no process answers", Expectation.Page, "EngineUnreachable",
            graph => graph.ContainerAsync(["pause"], s_second),
            graph => graph.ContainerAsync(["unpause"], s_second)),

        new("Network cut between gateway and engine", "a rule in the gateway's network drops packets from `ollama-2`; its probe is still answered", Expectation.Page, "EngineUnreachableFromGateway",
            graph => CutAsync(graph, "--append"),
            graph => CutAsync(graph, "--delete"))
        {
            Missing = OperatingSystem.IsLinux() && Environment.UserName == "root" && ContainerCli.SharesThisMachine ? null : "needs Linux and root",
        },

        new("Out-of-memory kill", "a memory limit of 300 MB for `ollama-2`, and a process in it that wants more; the kernel kills the server, the engine starts it again", Expectation.Page, "ContainerOutOfMemory",
            RunOutOfMemoryAsync,
            // 0 would keep the limit.
            graph => graph.ContainerAsync(["update", "--memory", "8g", "--memory-swap", "8g"], s_second))
        {
            CuresItself = true,
        },

        new("Gateway stopped", "`docker stop` of `gateway`", Expectation.Page, "GatewayDown",
            graph => graph.ContainerAsync(["stop", "--time", "1"], "gateway"),
            graph => graph.ContainerAsync(["start"], "gateway")),

        new("Disk nearly full", "a file system of 64 MB is filled to 97 %", Expectation.Page, "DiskNearlyFull",
            graph => graph.Disk.FillAsync(),
            graph =>
            {
                graph.Disk.Clear();
                return Task.CompletedTask;
            })
        {
            Missing = SmallDisk.Missing,
        },

        new("Prometheus restarted", "`docker restart` of `prometheus`", Expectation.Silence, "",
            graph => graph.ContainerAsync(["restart"], "prometheus"),
            _ => Task.CompletedTask)
        {
            CuresItself = true,
            // Of the twelve scrapes of three minutes, the restart may take two.
            VerifyAsync = async graph => Assert.InRange(Assert.Single(await graph.Prometheus.QueryAsync("count_over_time(up{job=\"gateway\"}[3m])")).Value, 10, 13),
        },

        new("A bad rules file reloaded", "a file that is no YAML in `prometheus/rules`, and `SIGHUP` to Prometheus", Expectation.Warning, "ConfigReloadFailed",
            async graph =>
            {
                await File.WriteAllTextAsync(BadRules(graph), "groups: [");
                await graph.SignalAsync(Component.Prometheus, "HUP");
            },
            graph =>
            {
                File.Delete(BadRules(graph));
                return graph.SignalAsync(Component.Prometheus, "HUP");
            }),

        new("Blackbox exporter down", "`docker stop` of `blackbox`", Expectation.Warning, "ScrapeFailing",
            graph => graph.ContainerAsync(["stop", "--time", "1"], "blackbox"),
            graph => graph.ContainerAsync(["start"], "blackbox")),

        new("cAdvisor down", "`docker stop` of `cadvisor`", Expectation.Warning, "ScrapeFailing",
            graph => graph.ContainerAsync(["stop", "--time", "1"], "cadvisor"),
            graph => graph.ContainerAsync(["start"], "cadvisor")),

        new("Engine stopped", "`docker stop` of both instances", Expectation.Page, "EngineDown",
            graph => graph.ContainerAsync(["stop", "--time", "1"], [.. FaultBackend.Instances]),
            graph => graph.ContainerAsync(["start"], [.. FaultBackend.Instances])),

        new("Slow engine", "both instances may use 2 % of a processor", Expectation.Page, "AnswersSlow",
            graph => graph.ContainerAsync(["update", "--cpus", "0.02"], [.. FaultBackend.Instances]),
            graph => graph.ContainerAsync(["update", "--cpus", $"{Environment.ProcessorCount}"], [.. FaultBackend.Instances])),

        new("Full queue", $"{Crowd.Size} clients with long answers, for 2 slots and a queue of 512; rejected clients repeat their request after `Retry-After`", Expectation.Page, "QueueOverflow",
            graph =>
            {
                s_crowd = new(graph.Url(Component.Gateway));
                return Task.CompletedTask;
            },
            async graph => await s_crowd!.DisposeAsync()),
    ];

    private static async Task CutAsync(FaultBackend graph, string change)
    {
        var engine = await ContainerCli.RunOrThrowAsync("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", await graph.FindContainerAsync(s_second));
        var gateway = await ContainerCli.RunOrThrowAsync("inspect", "--format", "{{.State.Pid}}", await graph.FindContainerAsync("gateway"));
        await ProcessRunner.RunOrThrowAsync("nsenter", ["--net", "--target", gateway, "iptables", change, "INPUT", "--source", engine, "--jump", "DROP"]);
    }

    // The server is the first the kernel looks for, as a real one is by its size.
    private static async Task RunOutOfMemoryAsync(FaultBackend graph)
    {
        await graph.ContainerAsync(["update", "--memory", "300m", "--memory-swap", "300m"], s_second);
        var container = await graph.FindContainerAsync(s_second);
        var before = await RestartsAsync();
        await ContainerCli.RunAsync("exec", container, "sh", "-c", "echo 1000 > /proc/1/oom_score_adj; exec tail /dev/zero");
        await Wait.UntilAsync("the kernel to kill the server", TimeSpan.FromSeconds(10), async () => Assert.NotEqual(before, await RestartsAsync()));

        Task<string> RestartsAsync() => ContainerCli.RunOrThrowAsync("inspect", "--format", "{{.RestartCount}}", container);
    }

    private static string BadRules(FaultBackend graph) => Path.Combine(graph.Folder.FullName, "prometheus", "rules", "bad.yaml");
}
