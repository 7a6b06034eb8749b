using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Docker.Resources.ComposeNodes;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Publish;

/// <summary>
/// What Aspire's Compose publisher does not do, and <c>Hazumu.AppHost/Publishing</c> therefore does. A test that fails here says that the
/// publisher has learnt it: the shim that its name tells can go, and the test with it.
/// </summary>
public sealed class PublisherCanaryTests(PublisherCanaryTests.PublishedApplication published) : IClassFixture<PublisherCanaryTests.PublishedApplication>
{
    private YamlMappingNode Service => (YamlMappingNode)published.Compose["services"]["web"];

    /// <summary>Shim: <c>name:</c> of volumes in <c>ComposeApplication</c>. No issue there yet.</summary>
    [Fact]
    public void Volumes_get_no_exact_name() =>
        Assert.DoesNotContain("name", Keys(published.Compose["volumes"]["exact_data"]));

    /// <summary>Shim: <c>networks:</c> in <c>ComposeApplication</c>. No issue there yet.</summary>
    [Fact]
    public void Networks_get_no_exact_name() =>
        Assert.All((YamlMappingNode)published.Compose["networks"], network => Assert.DoesNotContain("name", Keys(network.Value)));

    /// <summary>Shim: <c>ComposeVariables.Port</c>, microsoft/aspire#13460.</summary>
    [Fact]
    public void Ports_are_published_on_every_address() =>
        Assert.All((YamlSequenceNode)Service["ports"], port => Assert.DoesNotContain("127.0.0.1", port.ToString(), StringComparison.Ordinal));

    /// <summary>Shim: <c>ComposeHealthcheckAnnotation</c>, microsoft/aspire#8208.</summary>
    [Fact]
    public void Health_checks_are_not_published() =>
        Assert.DoesNotContain("healthcheck", Keys(Service));

    /// <summary>Shim: the condition of <c>depends_on</c> in <c>ComposeBuilderExtensions</c>, microsoft/aspire#14617.</summary>
    [Fact]
    public void What_waits_for_health_waits_for_the_start_alone() =>
        Assert.Equal("service_started", published.Compose["services"]["client"]["depends_on"]["web"]["condition"].ToString());

    /// <summary>Shim: the restart policy in <c>ComposeBuilderExtensions</c>, microsoft/aspire#14617.</summary>
    [Fact]
    public void There_is_no_restart_policy() =>
        Assert.DoesNotContain("restart", Keys(Service));

    /// <summary>Shims: <c>PublishedMountsAnnotation</c> and <c>PublishedFolderAnnotation</c>. No issue there yet.</summary>
    [Fact]
    public void A_bind_mounts_path_becomes_a_variable() =>
        Assert.Contains((YamlSequenceNode)Service["volumes"], volume => volume["source"].ToString().Contains("BINDMOUNT", StringComparison.Ordinal));

    /// <summary>Shim: <c>ComposeVariables.Argument</c>. No issue there yet.</summary>
    [Fact]
    public void A_dollar_in_an_argument_is_not_escaped() =>
        Assert.Equal("^a$", Assert.Single((YamlSequenceNode)Service["command"]).ToString());

    /// <summary>Shim: the limits in <c>ComposeProduction</c>. No issue there yet.</summary>
    [Fact]
    public void The_types_know_no_limit_on_processes() =>
        Assert.Equal(["Cpus", "Memory"], typeof(Aspire.Hosting.Docker.Resources.ServiceNodes.Swarm.ResourceSpec).GetProperties().Select(property => property.Name).Order(StringComparer.Ordinal));

    /// <summary>Shim: the GPUs' files in <c>ComposeApplication</c>. No issue there yet.</summary>
    [Fact]
    public void The_types_know_no_GPUs()
    {
        Assert.Null(typeof(Service).GetProperty("Gpus"));
        Assert.DoesNotContain(typeof(Service).Assembly.GetTypes(), type => type.Name.Contains("Device", StringComparison.Ordinal) && type.GetProperty("Capabilities") is not null);
    }

    /// <summary>Shim: <c>privileged</c> in <c>CAdvisorBuilderExtensions</c>: a variable is no <see cref="bool"/>. No issue there yet.</summary>
    [Fact]
    public void Privileged_takes_no_variable() =>
        Assert.Equal(typeof(bool?), typeof(Service).GetProperty("Privileged")!.PropertyType);

    /// <summary>Shim: <c>RunningContainer</c>. No issue there yet.</summary>
    [Fact]
    public void The_property_with_a_containers_id_is_not_public() =>
        Assert.DoesNotContain(typeof(DistributedApplication).Assembly.GetExportedTypes(), type => type.Name == "KnownProperties");

    private static IEnumerable<string> Keys(YamlNode node) => ((YamlMappingNode)node).Children.Keys.Select(key => key.ToString());

    /// <summary>A small application, as the publisher alone writes it.</summary>
    public sealed class PublishedApplication : IAsyncLifetime
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-canary-");

        /// <summary>The Compose file.</summary>
        public YamlMappingNode Compose { get; private set; } = null!;

        /// <inheritdoc/>
        public async Task InitializeAsync()
        {
            var builder = DistributedApplication.CreateBuilder(["--operation", "publish", "--step", "publish", "--output-path", _folder.FullName]);
            builder.AddDockerComposeEnvironment("compose").WithDashboard(enabled: false);
            var web = builder.AddContainer("web", "example/web")
                .WithHttpEndpoint(port: 8080, targetPort: 80)
                .WithExternalHttpEndpoints()
                .WithEndpoint("http", endpoint => endpoint.TargetHost = "127.0.0.1")
                .WithHttpHealthCheck("/")
                .WithVolume("exact_data", "/data")
                .WithBindMount(_folder.FullName, "/configuration", isReadOnly: true)
                .WithArgs("^a$");
            builder.AddContainer("client", "example/client").WaitFor(web);

            await builder.Build().RunAsync().WaitAsync(TimeSpan.FromMinutes(1));

            var yaml = new YamlStream();
            using var reader = File.OpenText(Path.Combine(_folder.FullName, "docker-compose.yaml"));
            yaml.Load(reader);
            Compose = (YamlMappingNode)yaml.Documents[0].RootNode;
        }

        /// <inheritdoc/>
        public Task DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return Task.CompletedTask;
        }
    }
}
