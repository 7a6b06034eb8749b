using Hazumu.Tests.Configuration;
using Hazumu.Testing;

namespace Hazumu.Tests.Dashboards;

/// <summary>What the less obvious queries of the dashboard Engines say of made-up series, by Prometheus' own unit tests for rules.</summary>
public sealed class DashboardQueryTests
{
    public DashboardQueryTests() => Skip.If(Promtool.Missing);

    [Fact]
    public Task A_restart_counts_when_the_container_keeps_its_name() => AssertAsync(
        "Restarts",
        [new("container_start_time_seconds{job=\"engines\",instance=\"ollama\",name=\"a\"}", "100x8 _x4 300x8 400x8")],
        [new("{instance=\"ollama\"}", 2)]);

    [Fact]
    public Task A_restart_counts_when_the_container_comes_back_under_another_name() => AssertAsync(
        "Restarts",
        [
            new("container_start_time_seconds{job=\"engines\",instance=\"ollama\",name=\"a\"}", "100x8 stale"),
            new("container_start_time_seconds{job=\"engines\",instance=\"ollama\",name=\"b\"}", "_x10 300x30"),
        ],
        [new("{instance=\"ollama\"}", 1)]);

    [Fact]
    public Task A_restart_counts_for_its_own_instance_only() => AssertAsync(
        "Restarts",
        [
            new("container_start_time_seconds{job=\"engines\",instance=\"ollama\",name=\"a\"}", "100x40"),
            new("container_start_time_seconds{job=\"engines\",instance=\"ollama-2\",name=\"b\"}", "100x8 300x30"),
        ],
        [new("{instance=\"ollama\"}", 0), new("{instance=\"ollama-2\"}", 1)]);

    [Fact]
    public Task Availability_is_the_share_of_successful_probes() => AssertAsync(
        "Availability",
        [new("probe_success{job=\"engine-health\",instance=\"ollama\"}", "1x29 0x9")],
        [new("{instance=\"ollama\"}", 0.75)]);

    [Fact]
    public Task Failed_probes_do_not_count_as_fast_answers() => AssertAsync(
        "Response time (median)",
        [
            new("probe_success{job=\"engine-health\",instance=\"ollama\"}", "0x29 1x9"),
            new("probe_duration_seconds{job=\"engine-health\",instance=\"ollama\"}", "0.001x29 0.5x9"),
        ],
        [new("{instance=\"ollama\"}", 0.5)]);

    [Fact]
    public Task The_CPU_share_is_of_the_limit_or_else_of_the_machine() => AssertAsync(
        "CPU share",
        [
            new("machine_cpu_cores{job=\"cadvisor\"}", "4x40"),
            new("container_cpu_usage_seconds_total{job=\"engines\",instance=\"ollama\"}", "0+15x40"),
            new("container_spec_cpu_period{job=\"engines\",instance=\"ollama\"}", "100000x40"),
            new("container_cpu_usage_seconds_total{job=\"engines\",instance=\"ollama-2\"}", "0+15x40"),
            new("container_spec_cpu_period{job=\"engines\",instance=\"ollama-2\"}", "100000x40"),
            new("container_spec_cpu_quota{job=\"engines\",instance=\"ollama-2\"}", "200000x40"),
        ],
        [new("{instance=\"ollama\"}", 0.25), new("{instance=\"ollama-2\"}", 0.5)]);

    [Fact]
    public Task The_memory_share_is_of_the_limit_or_else_of_the_machine() => AssertAsync(
        "Memory share",
        [
            new("machine_memory_bytes{job=\"cadvisor\"}", "1000x40"),
            new("container_memory_working_set_bytes{job=\"engines\",instance=\"ollama\"}", "100x40"),
            new("container_spec_memory_limit_bytes{job=\"engines\",instance=\"ollama\"}", "0x40"),
            new("container_memory_working_set_bytes{job=\"engines\",instance=\"ollama-2\"}", "100x40"),
            new("container_spec_memory_limit_bytes{job=\"engines\",instance=\"ollama-2\"}", "200x40"),
        ],
        [new("{instance=\"ollama\"}", 0.1), new("{instance=\"ollama-2\"}", 0.5)]);

    [Fact]
    public Task A_container_that_never_touched_a_disk_shows_0() => AssertAsync(
        "Disk",
        [new("container_start_time_seconds{job=\"engines\",instance=\"ollama\"}", "100x40")],
        [new("{instance=\"ollama\"}", 0)]);

    [Fact]
    public Task A_start_is_marked_once_wherever_it_is_seen() => AssertAsync(
        "@Starts and deploys",
        [
            new("dotnet_process_cpu_time_seconds_total{job=\"gateway\",instance=\"gateway\",cpu_mode=\"user\"}", "10+1x36 0 1 2"),
            new("container_start_time_seconds{job=\"cadvisor\",service=\"gateway\",instance=\"gateway\"}", "100x36 900x3"),
            new("container_start_time_seconds{job=\"engines\",service=\"ollama\",instance=\"ollama\",name=\"a\"}", "100x36 stale"),
            new("container_start_time_seconds{job=\"engines\",service=\"ollama\",instance=\"ollama\",name=\"b\"}", "_x37 900x3"),
            new("container_start_time_seconds{job=\"engines\",service=\"ollama\",instance=\"ollama-2\"}", "100x40"),
        ],
        [new("{service=\"gateway\"}", 1), new("{service=\"ollama\"}", 1)]);

    private static async Task AssertAsync(string panel, Series[] given, Expected[] expected)
    {
        var queries = DashboardSet.Expressions().Where(expression => expression.Dashboard == "engines" && expression.Panel == panel).ToList();
        var test = new
        {
            interval = "15s",
            input_series = given.Select(series => new { series = series.Name, values = series.Values }),
            promql_expr_test = queries.Select(query => new
            {
                expr = query.ToQuery(),
                eval_time = "9m45s",
                exp_samples = expected.Select(sample => new { labels = sample.Labels, value = sample.Value }),
            }),
        };

        var result = await Promtool.RunWithFileAsync(new { rule_files = Array.Empty<string>(), evaluation_interval = "15s", fuzzy_compare = true, tests = new[] { test } }, "test", "rules");

        Assert.NotEmpty(queries);
        Assert.True(result.Succeeded, result.Output);
    }

    private sealed record Series(string Name, string Values);

    private sealed record Expected(string Labels, double Value);
}
