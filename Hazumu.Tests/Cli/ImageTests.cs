using Hazumu.Cli;
using Hazumu.Cli.Images;
using Hazumu.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Tests.Cli;

/// <summary>Pulls, and what takes the place of an image that cannot be pulled.</summary>
public sealed class ImageTests
{
    private const string Unreachable = """echo 'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host' >&2; exit 1""";

    [Theory]
    [InlineData(Unreachable, PullOutcome.Unreachable, "dial tcp: lookup registry-1.docker.io: no such host")]
    [InlineData("echo 'Error: initializing source docker://a: pinging container registry: context deadline exceeded' >&2; exit 125", PullOutcome.Unreachable, "initializing source docker://a: pinging container registry: context deadline exceeded")]
    [InlineData("echo 'Error response from daemon: manifest for a:b not found: manifest unknown' >&2; exit 1", PullOutcome.Refused, "manifest for a:b not found: manifest unknown")]
    [InlineData("echo 'Status: Downloaded newer image for a:b'", PullOutcome.Pulled, "")]
    public async Task Pull_tells_an_unreachable_registry_from_a_refusal(string pull, object outcome, string reason)
    {
        using var engine = await FakeEngine.CreateAsync(pull);

        var result = await engine.Images().EnsureAsync("a:b", CancellationToken.None);

        Assert.Equal(new PullResult((PullOutcome)outcome, reason), result);
        Assert.Equal("Pulling a:b ...", engine.Progress[0]);
    }

    [Theory]
    [InlineData("exec sleep 60")]
    [InlineData("echo 'Trying to pull docker.io/a:b...' >&2; exec sleep 60")]
    public async Task Registry_that_stays_silent_for_20_seconds_is_unreachable(string pull)
    {
        using var engine = await FakeEngine.CreateAsync(pull);
        var time = new FakeTimeProvider();

        var result = engine.Images(time).EnsureAsync("a:b", CancellationToken.None);
        await Wait.UntilAsync("the pull", TimeSpan.FromSeconds(30), () =>
        {
            Assert.NotEmpty(engine.Progress);
            return Task.CompletedTask;
        });
        time.Advance(TimeSpan.FromSeconds(20));

        Assert.Equal(new PullResult(PullOutcome.Unreachable, "no answer within 20 s"), await result);
    }

    [Theory]
    [InlineData("prom/prometheus:v3.5.3", "docker.io/prom/prometheus:v3.5.3")]
    [InlineData("caddy:2.11.4", "docker.io/library/caddy:2.11.4")]
    [InlineData("localhost/hazumu/gateway:dev", "localhost/hazumu/gateway:dev")]
    [InlineData("ghcr.io/ggml-org/llama.cpp:server", "ghcr.io/ggml-org/llama.cpp:server")]
    public async Task Debian_image_is_named_with_its_registry(string listed, string expected)
    {
        using var engine = await FakeEngine.CreateAsync(pull: "exit 1", debianImages: $"echo '<none>:<none>'; echo {listed}");

        Assert.Equal(expected, await engine.Images().FindDebianImageAsync("prometheus", CancellationToken.None));
    }

    [Theory]
    [InlineData(null, false, false, null, null, "Ollama,Gateway")]
    [InlineData(true, false, false, null, null, "Ollama")]
    [InlineData(null, true, false, null, null, "Ollama")]
    [InlineData(null, true, true, "false", null, "Ollama,LlamaServer")]
    [InlineData(null, false, false, "true", null, "Ollama")]
    [InlineData(null, false, true, "false", "", "Ollama,LlamaServer")]
    [InlineData(null, false, true, "false", "false", "Ollama,LlamaServer,Vllm,Gateway")]
    public void Gateway_is_left_out_without_any_engine_unless_it_is_set(bool? gateway, bool hasEngineElsewhere, bool hasLlamaServer, string? llamaServer, string? vllm, string expected)
    {
        var graph = new GraphDescription
        {
            Engine = "docker",
            VolumesFolder = "/volumes",
            HasEngineElsewhere = hasEngineElsewhere,
            Components =
            [
                FakeEngine.Component("Ollama", "docker.io/ollama/ollama:1"),
                FakeEngine.Component("LlamaServer", "ghcr.io/ggml-org/llama.cpp:1") with { Enabled = hasLlamaServer },
                FakeEngine.Component("Vllm", "docker.io/vllm/vllm-openai:1") with { Enabled = vllm is not null },
                FakeEngine.Component("Gateway", "localhost/hazumu/gateway:dev") with { IsBuilt = true, EnabledSetting = gateway },
            ],
        };
        var settings = new Dictionary<string, string> { ["Hazumu__Ollama__Enabled"] = "false" };
        foreach (var (name, value) in new[] { ("LlamaServer", llamaServer), ("Vllm", vllm) }.Where(setting => !string.IsNullOrEmpty(setting.Item2)))
        {
            settings[$"Hazumu__{name}__Enabled"] = value!;
        }

        var leftOut = ImagesCommand.FindLeftOut(graph, settings);

        Assert.Equal(expected, string.Join(',', leftOut.Select(component => component.Section)));
    }

    [Theory]
    [InlineData("echo llamaserver", true)]
    [InlineData("echo prometheus", false)]
    public async Task Llama_server_is_the_engine_if_only_Debian_packages_can_be_had(string buildable, bool isEngine)
    {
        using var engine = await FakeEngine.CreateAsync(
            Unreachable,
            debianImages: "case $* in *component=llamaserver*) cat \"$(dirname \"$0\")/built\" 2> /dev/null ;; esac",
            buildScript: $"case $1 in --list) {buildable} ;; *) echo ghcr.io/ggml-org/llama.cpp:server-0.7.0 > built ;; esac");

        var settings = await engine.PrepareWithStandInAsync(
            FakeEngine.Component("LlamaServer", "ghcr.io/ggml-org/llama.cpp:server-b11669") with { Enabled = false },
            FakeEngine.Component("Ollama", "docker.io/ollama/ollama:1"));

        Assert.Equal("false", settings["Hazumu__Ollama__Enabled"]);
        Assert.Equal(isEngine ? "true" : null, settings.GetValueOrDefault("Hazumu__LlamaServer__Enabled"));
        Assert.Equal(isEngine ? "ghcr.io/ggml-org/llama.cpp:server-0.7.0" : null, settings.GetValueOrDefault("Hazumu__LlamaServer__Image"));
        Assert.Equal(isEngine, engine.Progress.Contains("llama-server is the engine instead of Ollama: it runs from ghcr.io/ggml-org/llama.cpp:server-0.7.0, built from Debian's packages."));
    }

    [Theory]
    [InlineData("case $2 in *vllm*) exit 0 ;; esac; ", false)]
    [InlineData("", true)]
    public async Task Llama_server_is_not_needed_beside_a_vLLM_that_can_be_had(string pullVllm, bool isEngine)
    {
        using var engine = await FakeEngine.CreateAsync(pullVllm + Unreachable, debianImages: "case $* in *component=llamaserver*) echo ghcr.io/ggml-org/llama.cpp:server-0.7.0 ;; esac");

        var settings = await engine.PrepareWithStandInAsync(
            FakeEngine.Component("LlamaServer", "ghcr.io/ggml-org/llama.cpp:server-b11669") with { Enabled = false },
            FakeEngine.Component("Ollama", "docker.io/ollama/ollama:1"),
            FakeEngine.Component("Vllm", "docker.io/vllm/vllm-openai:1"));

        Assert.Equal(isEngine ? "true" : null, settings.GetValueOrDefault("Hazumu__LlamaServer__Enabled"));
        Assert.Equal(isEngine ? "false" : null, settings.GetValueOrDefault("Hazumu__Vllm__Enabled"));
    }

    [Fact]
    public async Task Llama_server_does_not_replace_an_Ollama_that_can_be_had()
    {
        using var engine = await FakeEngine.CreateAsync("exit 0", debianImages: "echo ghcr.io/ggml-org/llama.cpp:server-0.7.0");

        Assert.Empty(await engine.PrepareWithStandInAsync(FakeEngine.Component("LlamaServer", "ghcr.io/ggml-org/llama.cpp:server-b11669"), FakeEngine.Component("Ollama", "docker.io/ollama/ollama:1")));
    }

    [Fact]
    public async Task Component_without_image_is_left_out_by_name()
    {
        using var engine = await FakeEngine.CreateAsync(Unreachable);

        var settings = await engine.PrepareAsync(FakeEngine.Component("Grafana", "docker.io/grafana/grafana:13.2.0"));

        Assert.Equal([KeyValuePair.Create("Hazumu__Grafana__Enabled", "false")], settings);
        Assert.Equal("grafana is left out: the image docker.io/grafana/grafana:13.2.0 is not on this machine and its registry cannot be reached (dial tcp: lookup registry-1.docker.io: no such host).", engine.Progress[^1]);
    }

    [Fact]
    public async Task Image_is_built_from_Debian_packages_if_no_registry_can_be_reached()
    {
        using var engine = await FakeEngine.CreateAsync(
            Unreachable,
            debianImages: "cat \"$(dirname \"$0\")/built\" 2> /dev/null",
            buildScript: "case $1 in --list) echo prometheus; echo edge ;; *) echo \"$*\" > arguments; echo prom/prometheus:v3.5.3 > built ;; esac");

        var settings = await engine.PrepareAsync(
            FakeEngine.Component("Prometheus", "docker.io/prom/prometheus:v3.14.0"),
            FakeEngine.Component("Blackbox", "registry.example/blackbox:1", imageSetting: "registry.example/blackbox:1"));

        Assert.Equal("prometheus\n", await File.ReadAllTextAsync(Path.Combine(engine.Checkout.Root, "arguments")));
        Assert.Equal("docker.io/prom/prometheus:v3.5.3", settings["Hazumu__Prometheus__Image"]);
        Assert.Contains("prometheus runs from docker.io/prom/prometheus:v3.5.3, built from Debian's packages, instead of docker.io/prom/prometheus:v3.14.0: another version than the pinned one.", engine.Progress);

        // An image that the user named is never replaced.
        Assert.Equal("false", settings["Hazumu__Blackbox__Enabled"]);
    }

    [Fact]
    public async Task Refused_images_end_the_command_after_every_pull()
    {
        using var engine = await FakeEngine.CreateAsync("case $2 in good:1) ;; *) echo 'Error: manifest unknown' >&2; exit 1 ;; esac");

        var problem = await Assert.ThrowsAsync<CliException>(() => engine.PrepareAsync(FakeEngine.Component("Ollama", "a:1"), FakeEngine.Component("Loki", "good:1"), FakeEngine.Component("Edge", "b:2")));

        Assert.Equal(["The image a:1 (Hazumu:Ollama:Image) cannot be pulled: manifest unknown", "The image b:2 (Hazumu:Edge:Image) cannot be pulled: manifest unknown"], problem.Message.Split(Environment.NewLine));
        Assert.Contains("Pulled good:1 (0 s).", engine.Progress);
    }

    [Fact]
    public async Task Image_setting_is_passed_on_as_the_AppHost_completes_it()
    {
        using var engine = await FakeEngine.CreateAsync("exit 0");

        var settings = await engine.PrepareAsync(FakeEngine.Component("Loki", "docker.io/grafana/loki:3.7.6", imageSetting: "grafana/loki"), FakeEngine.Component("Edge", "docker.io/library/caddy:2.11.4"));

        Assert.Equal([KeyValuePair.Create("Hazumu__Loki__Image", "docker.io/grafana/loki:3.7.6")], settings);
    }
}
