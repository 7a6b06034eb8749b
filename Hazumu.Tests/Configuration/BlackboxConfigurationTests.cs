using Hazumu.Testing;

namespace Hazumu.Tests.Configuration;

public sealed class BlackboxConfigurationTests
{
    [Fact]
    public async Task The_exporter_accepts_its_configuration()
    {
        Skip.IfMissing(Component.Blackbox);

        var check = await ContainerCli.RunAsync(
            "run", "--rm", "--network", "none",
            "--volume", $"{RepositoryRoot.Combine("blackbox")}:/etc/blackbox_exporter:ro",
            Component.Blackbox.Image,
            "--config.file=/etc/blackbox_exporter/config.yml", "--config.check");

        Assert.True(check.Succeeded, check.Output);
    }

    [Fact]
    public void Only_Ollama_itself_passes_the_probe()
    {
        var probe = BlackboxConfiguration.Read().Modules["ollama_health"].Http;

        Assert.Equal("GET", probe.Method);
        Assert.Equal([200], probe.ValidStatusCodes);
        Assert.False(probe.FollowRedirects);
        Assert.Equal(["Ollama is running"], probe.FailIfBodyNotMatchesRegexp);
    }

    [Fact]
    public void Other_engines_pass_the_probe_by_200_alone()
    {
        var probe = BlackboxConfiguration.Read().Modules["engine_health"].Http;

        Assert.Equal("GET", probe.Method);
        Assert.Equal([200], probe.ValidStatusCodes);
        Assert.False(probe.FollowRedirects);
    }

    [Fact]
    public void There_is_a_module_for_probes_of_ones_own() =>
        Assert.Equal("http", BlackboxConfiguration.Read().Modules["http_2xx"].Prober);
}
