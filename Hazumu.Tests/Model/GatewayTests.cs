using System.Net;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Hazumu.Hosting.Networking;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Configuration;
using static Hazumu.Tests.Model.GraphModel;

namespace Hazumu.Tests.Model;

public sealed class GatewayTests
{
    /// <summary>A Linux machine with Docker.</summary>
    internal static readonly HostFacts LinuxHost = new() { BridgeAddress = IPAddress.Parse("172.17.0.1") };

    [Fact]
    public async Task It_is_a_project_on_its_own_port_of_loopback()
    {
        await using var model = await CreateAsync();
        var endpoint = Endpoint(model.Gateway, "http");

        Assert.Equal((11435, 11435, "http", "localhost", false), (endpoint.Port, endpoint.TargetPort, endpoint.UriScheme, endpoint.TargetHost, endpoint.IsProxied));
        Assert.NotEmpty(model.Gateway.Annotations.OfType<HealthCheckAnnotation>());
    }

    [Fact]
    public async Task Health_and_metrics_have_a_port_that_no_client_can_exhaust()
    {
        await using var model = await CreateAsync("--Hazumu:Gateway:ManagementPort=21436");
        var endpoint = Endpoint(model.Gateway, "management");

        Assert.Equal((21436, 21436, "localhost", false), (endpoint.Port, endpoint.TargetPort, endpoint.TargetHost, endpoint.IsProxied));
        Assert.Equal("21436", (await model.EnvironmentAsync(model.Gateway))["Gateway__Management__Port"]);
    }

    [Fact]
    public async Task It_may_be_called_by_its_name_and_further_ones_and_from_the_pages_that_are_named()
    {
        await using var model = await CreateAsync("--Hazumu:Gateway:AllowedHosts=gpu.example.org,*.team.example", "--Hazumu:Gateway:AllowedOrigins=https://chat.example.org");
        var environment = await model.EnvironmentAsync(model.Gateway);

        Assert.Equal("gateway,gpu.example.org,*.team.example", environment["Gateway__AllowedHosts"]);
        Assert.Equal("https://chat.example.org", environment["Gateway__AllowedOrigins"]);
    }

    [Fact]
    public async Task It_knows_every_instance_and_its_slots()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Instances=2", "--Hazumu:Ollama:Parallel=4");
        var environment = await model.EnvironmentAsync(model.Gateway);

        Assert.Equal(
            ["ollama", "ollama-2"],
            environment.Where(variable => variable.Key.StartsWith("ConnectionStrings__", StringComparison.Ordinal)).Select(variable => Assert.IsType<ConnectionStringReference>(variable.Value).Resource.Name));
        Assert.Equal(["Reference:ollama", "Reference:ollama-2"], References(model.Gateway).Order());
        Assert.Equal("4", environment["Gateway__Slots"]);
        foreach (var instance in new[] { "ollama", "ollama-2" })
        {
            Assert.Equal("4", (await model.EnvironmentAsync(model.Container(instance)))["OLLAMA_NUM_PARALLEL"]);
        }
    }

    [Fact]
    public async Task It_does_not_wait_long_for_a_dashboard_that_is_gone()
    {
        await using var model = await CreateAsync();
        Assert.Equal("1000", (await model.EnvironmentAsync(model.Gateway))["OTEL_EXPORTER_OTLP_TIMEOUT"]);
    }

    [Fact]
    public async Task It_needs_no_keys_unless_that_is_set()
    {
        await using var model = await CreateAsync();
        var environment = await model.EnvironmentAsync(model.Gateway);

        Assert.Equal("false", environment["Gateway__Keys__Required"]);
        Assert.DoesNotContain(environment.Keys, name => name.StartsWith("Gateway__Keys__", StringComparison.Ordinal) && name != "Gateway__Keys__Required");
    }

    [Fact]
    public async Task Its_options_reach_it()
    {
        var file = Path.Combine(Path.GetTempPath(), "hazumu-no-such-folder", "keys.json");
        await using var model = await CreateAsync("--Hazumu:Gateway:Port=21435", "--Hazumu:Gateway:RequireKeys=true", $"--Hazumu:Gateway:KeysFile={file}", "--Hazumu:BindAddress=0.0.0.0");
        var environment = await model.EnvironmentAsync(model.Gateway);

        Assert.Equal((21435, 21435, "0.0.0.0"), (Endpoint(model.Gateway, "http").Port, Endpoint(model.Gateway, "http").TargetPort, Endpoint(model.Gateway, "http").TargetHost));
        Assert.Equal("true", environment["Gateway__Keys__Required"]);
        Assert.Equal(file, environment["Gateway__Keys__File"]);
        Assert.Equal(Path.Combine(Path.GetDirectoryName(file)!, "usage.db"), environment["Gateway__Usage__File"]);
    }

    [Fact]
    public async Task Without_Ollama_it_has_no_instances()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Enabled=false");
        Assert.DoesNotContain((await model.EnvironmentAsync(model.Gateway)).Keys, name => name.StartsWith("ConnectionStrings__", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_Docker_it_listens_on_the_bridge_too_and_containers_know_it_by_name()
    {
        await using var model = await CreateAsync();
        model.OnHost(LinuxHost);

        Assert.Equal("http://localhost:11435;http://localhost:11436;http://172.17.0.1:11435;http://172.17.0.1:11436", await UrlsAsync(model));
        Assert.Contains("gateway:172.17.0.1", await EngineArgumentsAsync(model.Container("prometheus")));
        Assert.Contains(("gateway:11436", "gateway"), (await model.ReadTargetsAsync())["services.json"]);
    }

    [Fact]
    public async Task With_Docker_Desktop_it_listens_on_loopback_alone()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts { SharesThisMachine = false, IsDockerDesktop = true });

        Assert.Equal("http://localhost:11435;http://localhost:11436", await UrlsAsync(model));
        Assert.Contains("gateway:host-gateway", await EngineArgumentsAsync(model.Container("prometheus")));
    }

    [Fact]
    public async Task Where_it_listens_everywhere_the_bridge_is_not_named_again()
    {
        await using var model = await CreateAsync("--Hazumu:BindAddress=0.0.0.0");
        model.OnHost(LinuxHost);
        Assert.Equal("http://0.0.0.0:11435;http://0.0.0.0:11436", await UrlsAsync(model));
    }

    [Fact]
    public async Task Elsewhere_containers_go_by_the_tunnel_of_Aspire()
    {
        await using var model = await CreateAsync();
        model.OnHost(new HostFacts { IsRootless = true });
        var prometheus = model.Container("prometheus");

        Assert.Equal("http://localhost:11435;http://localhost:11436", await UrlsAsync(model));
        Assert.DoesNotContain("--add-host", await EngineArgumentsAsync(prometheus));

        // Aspire makes a tunnel for what a container's variables refer to.
        Assert.Equal("gateway", Assert.IsType<EndpointReferenceExpression>((await model.EnvironmentAsync(prometheus))["GATEWAY_ADDRESS"]).Endpoint.Resource.Name);
    }

    [Fact]
    public async Task A_gateway_that_containers_cannot_reach_is_not_scraped()
    {
        await using var model = await CreateAsync();
        ContainerAccess.Apply(new ContainerAccess(Problem: "there is no way"), model.Resources);

        Assert.DoesNotContain("gateway", (await model.ReadTargetsAsync())["services.json"].Select(target => target.Instance));
        Assert.Contains("gateway", await model.ReadExpectedJobsAsync());
        Assert.DoesNotContain("GATEWAY_ADDRESS", (await model.EnvironmentAsync(model.Container("prometheus"))).Keys);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("false", false)]
    [InlineData(null, false)]
    public void The_tunnel_is_used_where_that_is_demanded(string? setting, bool isTunnel)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [ContainerAccess.TunnelSetting] = setting }).Build();
        Assert.Equal(isTunnel, ContainerAccess.Choose(LinuxHost, configuration) == ContainerAccess.Tunnel);
    }

    [Fact]
    public async Task Open_WebUI_is_left_out_by_default()
    {
        await using var model = await CreateAsync();
        Assert.DoesNotContain(model.Resources, resource => resource.Name.StartsWith("openwebui", StringComparison.Ordinal));
        Assert.DoesNotContain((await model.EnvironmentAsync(model.Gateway)).Keys, name => name.Contains("Configured", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Open_WebUI_goes_through_the_gateway_with_a_key_of_its_own()
    {
        await using var model = await CreateAsync("--Hazumu:OpenWebUI:Enabled=true", "--Hazumu:OpenWebUI:Port=3081", "--Hazumu:OpenWebUI:Volume=lab_chats", "--Parameters:openwebui-key=hzm_aaaaaaaa_secret");
        model.OnHost(LinuxHost);
        var webUI = model.Container("openwebui");
        var ofWebUI = await model.EnvironmentAsync(webUI);
        var ofGateway = await model.EnvironmentAsync(model.Gateway);

        Assert.Equal((3081, 8080, "localhost"), (Endpoint(webUI).Port, Endpoint(webUI).TargetPort, Endpoint(webUI).TargetHost));
        Assert.Contains("Volume:lab_chats:/app/backend/data", Mounts(webUI));
        Assert.Contains("Reference:gateway", References(webUI));
        Assert.Contains("gateway:172.17.0.1", await EngineArgumentsAsync(webUI));

        Assert.Equal("http://gateway:11435", await ValueAsync(ofWebUI["OLLAMA_BASE_URLS"]));
        var connection = JsonDocument.Parse((await ValueAsync(ofWebUI["OLLAMA_API_CONFIGS"]))!).RootElement.GetProperty("0");
        Assert.True(connection.GetProperty("enable").GetBoolean());
        Assert.Equal("hzm_aaaaaaaa_secret", connection.GetProperty("key").GetString());

        // What it embeds goes there too, in pieces of files that share a request.
        Assert.Equal("http://gateway:11435", await ValueAsync(ofWebUI["RAG_OLLAMA_BASE_URL"]));
        Assert.Equal("hzm_aaaaaaaa_secret", await ValueAsync(ofWebUI["RAG_OLLAMA_API_KEY"]));
        Assert.Equal(("32", "4"), (ofWebUI["RAG_EMBEDDING_BATCH_SIZE"], ofWebUI["RAG_EMBEDDING_CONCURRENT_REQUESTS"]));

        var key = Assert.IsType<ParameterResource>(ofGateway["Gateway__Keys__Configured__openwebui__Key"]);
        Assert.True(key.Secret);
        Assert.Equal("hzm_aaaaaaaa_secret", await key.GetValueAsync(default));
        Assert.Equal("infer,read", ofGateway["Gateway__Keys__Configured__openwebui__Scopes"]);
    }

    [Fact]
    public async Task Open_WebUI_has_accounts_and_sends_no_telemetry()
    {
        await using var model = await CreateAsync("--Hazumu:OpenWebUI:Enabled=true", "--Parameters:openwebui-key=hzm_aaaaaaaa_secret");
        model.OnHost(LinuxHost);
        var environment = await model.EnvironmentAsync(model.Container("openwebui"));

        Assert.DoesNotContain("WEBUI_AUTH", environment.Keys);
        Assert.DoesNotContain("ENABLE_PERSISTENT_CONFIG", environment.Keys);
        Assert.All(["ENABLE_OPENAI_API", "ENABLE_VERSION_UPDATE_CHECK", "ENABLE_COMMUNITY_SHARING", "ANONYMIZED_TELEMETRY"], name => Assert.Equal("false", environment[name]));
        Assert.StartsWith("/app/backend/data/", (string)environment["WEBUI_SECRET_KEY_FILE"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_WebUI_without_the_gateway_is_reported()
    {
        var problem = await Assert.ThrowsAnyAsync<Exception>(() => CreateAsync("--Hazumu:OpenWebUI:Enabled=true", "--Hazumu:Gateway:Enabled=false"));
        Assert.Contains("Hazumu:Gateway:Enabled is 'false'; change one of them.", problem.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_generated_key_has_the_form_of_the_gateways_own()
    {
        var keys = Enumerable.Range(0, 100).Select(_ => new Hosting.Gateway.GatewayKeyDefault().GetDefaultValue()).ToList();

        Assert.All(keys, key => Assert.Matches("^hzm_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$", key));
        Assert.Equal(keys.Count, keys.Distinct().Count());
    }

    private static async Task<string?> UrlsAsync(GraphModel model)
    {
        var urls = Assert.IsType<ReferenceExpression>((await model.EnvironmentAsync(model.Gateway))["ASPNETCORE_URLS"]);
        foreach (var endpoint in model.Gateway.Annotations.OfType<EndpointAnnotation>().Where(endpoint => endpoint.AllocatedEndpoint is null))
        {
            endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, endpoint.TargetHost, endpoint.Port!.Value, targetPortExpression: endpoint.TargetPort!.Value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        return await urls.GetValueAsync(default);
    }
}
