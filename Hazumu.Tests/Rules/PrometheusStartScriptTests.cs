using Hazumu.Testing;

namespace Hazumu.Tests.Rules;

/// <summary>What <c>prometheus/start.sh</c> hands to Prometheus, which a script of the test stands for.</summary>
public sealed class PrometheusStartScriptTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-test-");

    [Fact]
    public async Task Rules_are_read_where_they_are_without_another_address()
    {
        foreach (var url in new[] { null, "", "http://localhost:9090/user/", "http://localhost:9090/user" })
        {
            var start = await RunAsync(url);

            Assert.Equal((0, $"--config.file={RepositoryRoot.Combine("prometheus")}/prometheus.yml --web.enable-lifecycle"), (start.ExitCode, start.Output.Trim()));
            Assert.False(Directory.Exists(Copy));
        }
    }

    [Theory]
    [InlineData("https://wiki.example/runbooks", "https://wiki.example/runbooks/")]
    [InlineData("https://wiki.example/a&b/", "https://wiki.example/a&b/")]
    [InlineData("https://wiki.example/find?page=", "https://wiki.example/find?page=")]
    public async Task Alerts_link_to_the_address_that_is_set(string url, string link)
    {
        var start = await RunAsync(url);

        Assert.Equal((0, $"--config.file={Copy}/prometheus.yml --web.enable-lifecycle"), (start.ExitCode, start.Output.Trim()));
        Assert.Contains($"- {Copy}/rules/*.yaml\n", await File.ReadAllTextAsync(Path.Combine(Copy, "prometheus.yml")), StringComparison.Ordinal);
        Assert.All(RuleFiles.NamesIn("rules"), name => Assert.Equal(
            File.ReadAllText(RepositoryRoot.Combine("prometheus", "rules", name)).Replace("http://localhost:9090/user/", link, StringComparison.Ordinal),
            File.ReadAllText(Path.Combine(Copy, "rules", name))));
    }

    [Theory]
    [InlineData("https://llm.example/grafana")]
    [InlineData("https://llm.example/grafana/")]
    [InlineData("https://llm.example/grafana//")]
    public async Task Alerts_link_to_the_dashboards_where_Grafana_is(string url)
    {
        var start = await RunAsync(null, "--web.enable-lifecycle", url);

        Assert.Equal((0, $"--config.file={Copy}/prometheus.yml --web.enable-lifecycle"), (start.ExitCode, start.Output.Trim()));
        Assert.All(RuleFiles.NamesIn("rules"), name => Assert.Equal(
            File.ReadAllText(RepositoryRoot.Combine("prometheus", "rules", name)).Replace("http://localhost:3000/d/", "https://llm.example/grafana/d/", StringComparison.Ordinal),
            File.ReadAllText(Path.Combine(Copy, "rules", name))));
    }

    [Fact]
    public async Task An_address_of_Grafana_without_a_scheme_is_refused()
    {
        var start = await RunAsync(null, "--web.enable-lifecycle", "llm.example/grafana");

        Assert.Equal((1, "Prometheus is not started: GRAFANA_URL is 'llm.example/grafana'; set an address such as 'https://llm.example/grafana'."), (start.ExitCode, start.Output.Trim()));
    }

    [Fact]
    public async Task Copy_renews_the_rules_and_starts_nothing()
    {
        Directory.CreateDirectory(Copy);
        var outdated = Path.Combine(Copy, "prometheus.yml");
        await File.WriteAllTextAsync(outdated, "outdated");

        var copy = await RunAsync("https://wiki.example/", "--copy");

        Assert.Equal((0, ""), (copy.ExitCode, copy.Output.Trim()));
        Assert.Contains($"- {Copy}/rules/*.yaml\n", await File.ReadAllTextAsync(outdated), StringComparison.Ordinal);
        copy = await RunAsync(url: null, "--copy");
        Assert.Equal((0, ""), (copy.ExitCode, copy.Output.Trim()));
    }

    [Theory]
    [InlineData("wiki.example/runbooks")]
    [InlineData("https://wiki.example/a b")]
    [InlineData("https://wiki.example/\"")]
    [InlineData("javascript:alert(1)")]
    public async Task A_malformed_address_is_refused_with_the_setting_and_its_value(string url)
    {
        var start = await RunAsync(url);

        Assert.Equal(1, start.ExitCode);
        Assert.StartsWith($"Prometheus is not started: Hazumu:Prometheus:RunbookUrl is '{url}'", start.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string Copy => Path.Combine(_folder.FullName, "copy");

    private async Task<CliResult> RunAsync(string? url, string argument = "--web.enable-lifecycle", string? grafana = null)
    {
        var program = Path.Combine(_folder.FullName, "prometheus");
        await File.WriteAllTextAsync(program, "#!/bin/sh\necho \"$@\"\n");
        await ProcessRunner.RunOrThrowAsync("chmod", ["755", program]);
        return await ProcessRunner.RunAsync("/bin/sh", [RepositoryRoot.Combine("prometheus", "start.sh"), argument], environment: new Dictionary<string, string?>
        {
            ["PATH"] = $"{_folder.FullName}:{Environment.GetEnvironmentVariable("PATH")}",
            ["PROMETHEUS_SOURCE"] = RepositoryRoot.Combine("prometheus"),
            ["PROMETHEUS_TARGET"] = Copy,
            ["RUNBOOK_URL"] = url,
            ["GRAFANA_URL"] = grafana,
        });
    }
}
