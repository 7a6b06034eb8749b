using Hazumu.Testing;

namespace Hazumu.Tests.Faults;

/// <summary>Graphs whose times are measured have the machine for themselves.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class QuietMachine
{
    /// <summary>The collection's name.</summary>
    public const string Name = "Faults";
}

/// <summary>
/// Two of the faults, to notice when the way from fault to page is broken. Explicitly, by <c>./hazumu faults</c>, every fault and an hour
/// without one: the table of <c>docs/faults.md</c>, in an hour, and two with the healthy load.
/// </summary>
[Collection(QuietMachine.Name)]
public sealed class FaultTests(FaultBackend graph, ITestOutputHelper output) : IClassFixture<FaultBackend>
{
    private static readonly TimeSpan s_duration = TimeSpan.FromSeconds(100);

    // Longer than Alertmanager remembers a group that has nothing left to tell, and than an alert that follows takes to fire.
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(45);

    public static TheoryData<string> Names => [.. InjectedFault.All.Select(fault => fault.Name)];

    public static TheoryData<double> Minutes => [double.Parse(Environment.GetEnvironmentVariable("HAZUMU_FAULTS_HEALTHY_MINUTES") ?? "60", System.Globalization.CultureInfo.InvariantCulture)];

    [Theory(Explicit = true)]
    [Trait("Category", "Faults")]
    [MemberData(nameof(Minutes))]
    public async Task Healthy_load_pages_no_one(double minutes)
    {
        Skip.If(FaultBackend.Missing);

        await graph.CalmAsync(TimeSpan.Zero);
        var (answered, failed) = (graph.Load.Answered, graph.Load.Failed);
        var begin = DateTimeOffset.UtcNow;
        await Task.Delay(TimeSpan.FromMinutes(minutes));

        var fired = await graph.Prometheus.QueryAsync($"group by (alertname) (max_over_time(ALERTS{{alertstate=\"firing\",alertname!=\"Watchdog\"}}[{(int)(minutes * 60)}s]))");
        var result = new HealthyResult(
            minutes,
            graph.Load.Answered - answered + graph.Load.Failed - failed,
            graph.Load.Failed - failed,
            [.. graph.Webhook.All.Where(told => told.At >= begin && told.Severity == "critical").Select(told => told.Name).Distinct().Order()],
            [.. fired.Select(alert => alert["alertname"]).Order()],
            DateOnly.FromDateTime(begin.UtcDateTime));
        await FaultTable.AddAsync(result);
        Assert.Empty(result.Paged);
        Assert.Equal(0, result.Failed);
    }

    [Theory(Explicit = true)]
    [Trait("Category", "Faults")]
    [MemberData(nameof(Names))]
    public async Task A_fault_pages_with_the_right_alert_in_time(string name)
    {
        var fault = InjectedFault.All.Single(fault => fault.Name == name);
        Skip.If(FaultBackend.Missing ?? fault.Missing);

        var result = await FaultRun.RunAsync(graph, fault, s_duration, s_quiet);
        output.WriteLine(result.ToString());
        await FaultTable.AddAsync(result);
        Assert.Empty(result.Misses(fault));
    }

    [Fact]
    public Task A_lost_instance_pages_and_nothing_else_does()
    {
        Skip.If(FaultBackend.Missing);
        return RunAsync("One of two instances gone");
    }

    [Fact]
    public Task A_lost_exporter_does_not_page()
    {
        Skip.If(FaultBackend.Missing);
        return RunAsync("Blackbox exporter down");
    }

    private async Task RunAsync(string name)
    {
        var fault = InjectedFault.All.Single(fault => fault.Name == name);
        var result = await FaultRun.RunAsync(graph, fault, TimeSpan.Zero, TimeSpan.Zero);
        output.WriteLine(result.ToString());
        Assert.Empty(result.Misses(fault));
    }
}
