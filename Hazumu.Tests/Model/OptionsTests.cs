using Hazumu.Hosting.Settings;
using Hazumu.Testing;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Tests.Model;

public sealed class OptionsTests
{
    [Theory]
    [InlineData("Hazumu:Gpu", "cuda", "'Hazumu:Gpu' is 'cuda'; allowed: auto, nvidia, amd, none.")]
    [InlineData("Hazumu:Gpu", "3", "'Hazumu:Gpu' is '3'; allowed: auto, nvidia, amd, none.")]
    [InlineData("Hazumu:Gpu", "", "'Hazumu:Gpu' is ''; allowed: auto, nvidia, amd, none.")]
    [InlineData("Hazumu:Prometheus:Port", "70000", "'Hazumu:Prometheus:Port' is '70000'; allowed: a port from 1 to 65535.")]
    [InlineData("Hazumu:Prometheus:Port", "0", "'Hazumu:Prometheus:Port' is '0'; allowed: a port from 1 to 65535.")]
    [InlineData("Hazumu:Prometheus:Retention", "15 days", "'Hazumu:Prometheus:Retention' is '15 days'; allowed: a duration such as '15d', '12h' or '1y'.")]
    [InlineData("Hazumu:Prometheus:Retention", "", "'Hazumu:Prometheus:Retention' is ''; allowed: a duration such as '15d', '12h' or '1y'.")]
    [InlineData("Hazumu:Loki:Retention", "12h", "'Hazumu:Loki:Retention' is '12h'; allowed: a duration of days, weeks or years such as '7d'.")]
    [InlineData("Hazumu:BindAddress", "localhost", "'Hazumu:BindAddress' is 'localhost'; allowed: an IPv4 address such as 127.0.0.1 or 0.0.0.0.")]
    [InlineData("Hazumu:Grafana:Enabled", "yes", "'Hazumu:Grafana:Enabled' is 'yes'; allowed: true, false.")]
    [InlineData("Hazumu:CAdvisor:Privileged", "maybe", "'Hazumu:CAdvisor:Privileged' is 'maybe'; allowed: auto, true, false.")]
    [InlineData("Hazumu:Prometheus:RunbookUrl", "wiki", "'Hazumu:Prometheus:RunbookUrl' is 'wiki'; allowed: an address such as 'https://wiki.example/runbooks/'.")]
    [InlineData("Hazumu:Ollama:Image", "not an image", "'Hazumu:Ollama:Image' is 'not an image'; allowed: an image reference such as 'registry.example/repository:tag'.")]
    [InlineData("Hazumu:Ollama:Volume", "/data", "'Hazumu:Ollama:Volume' is '/data'; allowed: letters, digits, '_', '.' and '-', starting with a letter or digit.")]
    [InlineData("Hazumu:Network", "my network", "'Hazumu:Network' is 'my network'; allowed: letters, digits, '_', '.' and '-', starting with a letter or digit; not the engine's own 'bridge', 'host' and 'none'.")]
    [InlineData("Hazumu:Network", "bridge", "'Hazumu:Network' is 'bridge'; allowed: letters, digits, '_', '.' and '-', starting with a letter or digit; not the engine's own 'bridge', 'host' and 'none'.")]
    [InlineData("Hazumu:BindAddress", "::1", "'Hazumu:BindAddress' is '::1'; allowed: an IPv4 address such as 127.0.0.1 or 0.0.0.0.")]
    [InlineData("Hazumu:Models", "good,bad model", "'Hazumu:Models' is 'good,bad model'; allowed: model names such as 'qwen3:0.6b', and paths such as '/srv/models/qwen3.gguf'.")]
    [InlineData("Hazumu:Engines:gpu-1:Url", "gpu-1:8000", "'Hazumu:Engines:gpu-1:Url' is 'gpu-1:8000'; allowed: an http or https URL without a path such as 'http://gpu-1:8000'.")]
    [InlineData("Hazumu:Engines:gpu-1:Url", "http://gpu-1/v1", "'Hazumu:Engines:gpu-1:Url' is 'http://gpu-1/v1'; allowed: an http or https URL without a path such as 'http://gpu-1:8000'.")]
    [InlineData("Hazumu:Engines:gpu-1:Kind", "sglang", "'Hazumu:Engines:gpu-1:Kind' is 'sglang'; allowed: ollama, llama-server, vllm, openai.")]
    [InlineData("Hazumu:Ollama:Mode", "remote", "'Hazumu:Ollama:Mode' is 'remote'; allowed: container, host, none.")]
    [InlineData("Hazumu:Ollama:Gpus", "0 1", "'Hazumu:Ollama:Gpus' is '0 1'; allowed: numbers or names such as '0;1' for two instances with a GPU each, '0,1;2,3' with two each.")]
    [InlineData("Hazumu:Ollama:KeepAlive", "five minutes", "'Hazumu:Ollama:KeepAlive' is 'five minutes'; allowed: a duration in Go's form such as '30m' or '-1'.")]
    [InlineData("Hazumu:ImageRegistry", "https://mirror.example", "'Hazumu:ImageRegistry' is 'https://mirror.example'; allowed: a registry such as 'registry.example:5000/mirror'.")]
    [InlineData("Hazumu:Ollama:Instances", "0", "'Hazumu:Ollama:Instances' is '0'; allowed: a number from 1 to 16.")]
    [InlineData("Hazumu:Ollama:Instances", "17", "'Hazumu:Ollama:Instances' is '17'; allowed: a number from 1 to 16.")]
    [InlineData("Hazumu:Ollama:Parallel", "many", "'Hazumu:Ollama:Parallel' is 'many'; allowed: a number from 1 to 64.")]
    [InlineData("Hazumu:Gateway:RequireKeys", "1", "'Hazumu:Gateway:RequireKeys' is '1'; allowed: true, false.")]
    [InlineData("Hazumu:Gateway:Port", "0", "'Hazumu:Gateway:Port' is '0'; allowed: a port from 1 to 65535.")]
    [InlineData("Hazumu:Edge:Name", "https://llm.example", "'Hazumu:Edge:Name' is 'https://llm.example'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path.")]
    [InlineData("Hazumu:Edge:Tls", "letsencrypt", "'Hazumu:Edge:Tls' is 'letsencrypt'; allowed: internal, acme, files.")]
    [InlineData("Hazumu:Edge:AllowGrafana", "10.0.0.0/8;192.0.2.7", "'Hazumu:Edge:AllowGrafana' is '10.0.0.0/8;192.0.2.7'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas.")]
    [InlineData("Hazumu:Edge:MaxBody", "1e9", "'Hazumu:Edge:MaxBody' is '1e9'; allowed: a size such as '512KB', '100MB' or '4GB'.")]
    [InlineData("Hazumu:OpenWebUI:Enabled", "on", "'Hazumu:OpenWebUI:Enabled' is 'on'; allowed: true, false.")]
    [InlineData("Hazumu:Gpuu", "none", "Unknown setting 'Hazumu:Gpuu' with the value 'none'; 'Hazumu' has Gpu, Production, Models, BindAddress, Network, ImageRegistry, ConfigurationFolder, Ollama, LlamaServer, Vllm, Engines, Gateway, Prometheus, Grafana, CAdvisor, Blackbox, Alertmanager, NodeExporter, GpuExporter, Loki, Alloy, Valkey, Edge, OpenWebUI.")]
    [InlineData("Hazumu:Blackbox:Volume", "v", "Unknown setting 'Hazumu:Blackbox:Volume' with the value 'v'; 'Hazumu:Blackbox' has Enabled, Port, Image.")]
    [InlineData("Hazumu:Prometheus", "9091", "'Hazumu:Prometheus' is '9091'; it is a section with Volume, Enabled, Port, Image, Retention, RunbookUrl.")]
    public void A_bad_setting_is_reported_in_a_sentence(string key, string value, string sentence) =>
        Assert.Equal(sentence, Assert.Single(Assert.Throws<StartupProblemException>(() => Read((key, value))).Problems));

    [Fact]
    public void All_bad_settings_are_reported_at_once() =>
        Assert.Equal(2, Assert.Throws<StartupProblemException>(() => Read(("Hazumu:Gpu", "x"), ("Hazumu:Ollama:Port", "x"))).Problems.Count);

    [Fact]
    public void Good_settings_are_read()
    {
        var options = Read(("Hazumu:Gpu", "NVIDIA"), ("Hazumu:Models:0", "a"), ("Hazumu:Models:1", "b:1"), ("Hazumu:BindAddress", "0.0.0.0"),
            ("Hazumu:Prometheus:Retention", "1d12h"), ("hazumu:cadvisor:privileged", "false"), ("Hazumu:ImageRegistry", ""));

        Assert.Equal(GpuMode.Nvidia, options.Gpu);
        Assert.Equal(["a", "b:1"], options.Models);
        Assert.Equal("0.0.0.0", options.BindAddress);
        Assert.Equal("1d12h", options.Prometheus.Retention);
        Assert.Equal(AutoSwitch.False, options.CAdvisor.Privileged);
        Assert.Null(options.ImageRegistry);
    }

    [Theory]
    [InlineData("--gpu=none", "Unknown option '--gpu=none'")]
    [InlineData("--Hazum:Gpu=none", "Unknown option '--Hazum:Gpu=none'")]
    [InlineData("up", "'up' is not an option")]
    public void An_unknown_argument_is_reported(string argument, string beginning) =>
        Assert.StartsWith(beginning, Assert.Throws<StartupProblemException>(() => CommandLine.Check([argument])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("--Hazumu:Gpu=none")]
    [InlineData("--Hazumu:Gpu", "none")]
    [InlineData("--operation", "publish", "--step", "publish", "--output-path", "/tmp/out")]
    [InlineData("Hazumu:Gpu=none")]
    public void A_known_argument_is_accepted(params string[] arguments) => Assert.Null(Record.Exception(() => CommandLine.Check(arguments)));

    [Theory]
    [InlineData("docs/settings.md")]
    [InlineData("docs/ja/settings.md")]
    public void Documentation_lists_every_setting_with_its_default(string file)
    {
        var page = File.ReadAllText(RepositoryRoot.Combine(file));
        foreach (var setting in SettingsReader.List(HazumuOptions.SectionName, new HazumuOptions()))
        {
            var fallback = setting.Default.Length == 0 ? "" : $" `{setting.Default}`";
            Assert.Contains($"| `{setting.Key}` |{fallback} |", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_settings_file_that_is_not_JSON_is_reported_with_its_line()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "{\n \"Hazumu\": }");
            var failure = Record.Exception(() => new ConfigurationBuilder().AddJsonFile(file).Build());

            Assert.Equal(
                $"Failed to load configuration from file '{file}': it is not valid JSON at line 2; correct the file.",
                StartupProblemException.Find(failure)?.Message);
        }
        finally
        {
            File.Delete(file);
        }
    }

    internal static HazumuOptions Read(params (string Key, string Value)[] settings) => HazumuOptions.Read(new ConfigurationBuilder()
        .AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value))
        .Build());
}
