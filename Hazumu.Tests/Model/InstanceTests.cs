using Aspire.Hosting.ApplicationModel;
using Hazumu.Hosting.Settings;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;
using static Hazumu.Tests.Model.GraphModel;

namespace Hazumu.Tests.Model;

public sealed class InstanceTests
{
    [Fact]
    public async Task There_is_one_instance_unless_more_are_set()
    {
        await using var model = await CreateAsync();
        Assert.Equal("ollama", Assert.Single(model.Resources.OfType<OllamaResource>()).Name);
    }

    [Fact]
    public async Task A_further_one_has_all_that_the_first_has()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Instances=2", "--Hazumu:Models=tinyllama");
        model.OnHost(GatewayTests.LinuxHost with { HasNvidiaDevice = true, EngineOffersNvidia = true });
        var first = model.Container("ollama");
        var second = model.Container("ollama-2");

        Assert.Equal(["Volume:ollama_data_2:/root/.ollama"], Mounts(second));
        Assert.Equal(Image(first), Image(second));
        Assert.NotEmpty(second.Annotations.OfType<HealthCheckAnnotation>());
        Assert.Equal(
            first.Annotations.OfType<ResourceCommandAnnotation>().Select(command => command.Name),
            second.Annotations.OfType<ResourceCommandAnnotation>().Select(command => command.Name));
        Assert.Equal("ollama-2", model.Get<OllamaModelResource>("ollama-2-tinyllama").Parent.Name);

        var arguments = await EngineArgumentsAsync(second);
        Assert.Contains("hazumu.service=ollama", arguments);
        Assert.Contains("hazumu.instance=ollama-2", arguments);
        Assert.Contains("--gpus", arguments);

        Assert.Equal([("ollama:11434", "ollama"), ("ollama-2:11434", "ollama-2")], (await model.ReadTargetsAsync())["engine-health.json"]);
    }

    [Fact]
    public async Task A_model_named_as_an_instance_is_called_otherwise()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Instances=2", "--Hazumu:Models=2");
        Assert.Equal(2, model.Resources.OfType<OllamaModelResource>().Count());
        Assert.Equal("ollama-2", Assert.Single(model.Resources.OfType<OllamaResource>(), instance => instance.Name != "ollama").Name);
    }

    [Fact]
    public void Ports_follow_the_first_and_skip_those_of_other_components() =>
        Assert.Equal([11434, 11437, 11438], Choose(isTaken: _ => false, ("Hazumu:Ollama:Instances", "3")));

    [Fact]
    public void Ports_skip_the_edges_redirect() =>
        Assert.Equal([8079, 8081], Choose(isTaken: _ => false, ("Hazumu:Ollama:Instances", "2"), ("Hazumu:Ollama:Port", "8079"), ("Hazumu:Edge:HttpPort", "8080"), ("Hazumu:CAdvisor:Port", "9000")));

    [Fact]
    public void Ports_of_components_that_are_left_out_stay_theirs() =>
        Assert.Equal([11434, 11437], Choose(isTaken: _ => false, ("Hazumu:Ollama:Instances", "2"), ("Hazumu:Gateway:Enabled", "false")));

    [Fact]
    public void Ports_in_use_are_skipped() =>
        Assert.Equal([11434, 11438], Choose(isTaken: port => port is 11434 or 11437, ("Hazumu:Ollama:Instances", "2")));

    [Fact]
    public void Too_few_ports_are_reported()
    {
        var problem = Assert.Throws<StartupProblemException>(() => Choose(isTaken: _ => false, ("Hazumu:Ollama:Instances", "3"), ("Hazumu:Ollama:Port", "65534")));
        Assert.Equal("There is no free port above 65534 for instance 3 of Ollama; set Hazumu:Ollama:Port to a lower port.", problem.Message);
    }

    private static List<int> Choose(Func<int, bool> isTaken, params (string Key, string Value)[] settings) =>
        OptionsTests.Read(settings).Ollama is var ollama ? [.. InstancePorts.Choose(ollama, ollama.Instances, isTaken)] : [];
}
