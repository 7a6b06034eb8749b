using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Hazumu.Hosting.Settings;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Tests.Model;

public sealed class ProductionModelTests
{
    private const string GoodPassword = "correct-horse-battery";

    [Fact]
    public async Task The_edge_is_in_the_graph_only_in_production()
    {
        await using var development = await GraphModel.CreateAsync();
        Assert.DoesNotContain(development.Resources, resource => resource.Name == "edge");

        await using var production = await CreateAsync();
        var edge = production.OnHost(GatewayTests.LinuxHost).Container("edge");
        var variables = await production.EnvironmentAsync(edge);
        Assert.Equal("gateway:11435", await GraphModel.ValueAsync(variables["EDGE_GATEWAY"]));
        Assert.Equal("grafana:3000", await GraphModel.ValueAsync(variables["EDGE_GRAFANA"]));
        Assert.Equal(
            [("https", "0.0.0.0", 443, 8443), ("http", "0.0.0.0", 80, 8080)],
            edge.Annotations.OfType<EndpointAnnotation>().Select(endpoint => (endpoint.Name, endpoint.TargetHost, endpoint.Port!.Value, endpoint.TargetPort!.Value)));
        Assert.All(production.Resources.Where(resource => resource != edge).SelectMany(resource => resource.Annotations.OfType<EndpointAnnotation>()), endpoint => Assert.Equal("localhost", endpoint.TargetHost));
    }

    [Fact]
    public async Task Production_needs_keys_and_shuts_Grafana()
    {
        await using var model = await CreateAsync("--Hazumu:Edge:Name=llm.example");

        Assert.Equal("true", await GraphModel.ValueAsync((await model.EnvironmentAsync(model.Gateway))["Gateway__Keys__Required"]));
        var grafana = await model.EnvironmentAsync(model.Container("grafana"));
        Assert.Equal("https://llm.example/grafana/", grafana["GF_SERVER_ROOT_URL"]);
        Assert.Equal("false", grafana["GF_AUTH_ANONYMOUS_ENABLED"]);
        Assert.Equal(
            ("1d", "7d"),
            (grafana["GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION"], grafana["GF_AUTH_LOGIN_MAXIMUM_LIFETIME_DURATION"]));
        // In a file, and in no variable.
        Assert.Equal("$__file{/run/secrets/grafana_admin_password}", await GraphModel.ValueAsync(grafana["GF_SECURITY_ADMIN_PASSWORD"]));
        var files = await Assert.Single(model.Container("grafana").Annotations.OfType<ContainerFileSystemCallbackAnnotation>(), files => files.DestinationPath == "/run/secrets")
            .Callback(new ContainerFileSystemCallbackContext { Model = model.Container("grafana"), Services = null! }, default);
        Assert.Equal(GoodPassword, Assert.IsType<ContainerFile>(Assert.Single(files)).Contents);
        Assert.Equal("true", grafana["GF_SECURITY_COOKIE_SECURE"]);
        Assert.Equal("https://llm.example/grafana", (await model.EnvironmentAsync(model.Container("prometheus")))["GRAFANA_URL"]);
    }

    [Theory]
    [InlineData("--Hazumu:Edge:Enabled=true", "http://edge:9093 http://edge:3100")]
    [InlineData("--Hazumu:Alertmanager:Enabled=false", "http://edge:3100")]
    [InlineData("--Hazumu:Edge:Enabled=false", "http://alertmanager:9093 http://loki:3100")]
    public async Task Data_sources_of_alerts_and_logs_go_through_the_edge(string option, string addresses)
    {
        await using var model = await CreateAsync("--Hazumu:Loki:Enabled=true", option);
        var variables = await model.OnHost(GatewayTests.LinuxHost).EnvironmentAsync(model.Container("grafana"));

        var values = variables
            .Where(variable => variable.Key is "ALERTMANAGER_URL" or "LOKI_URL")
            .OrderBy(variable => variable.Key, StringComparer.Ordinal)
            .Select(variable => variable.Value is EndpointReference endpoint
                ? $"http://{endpoint.Resource.Name}:{endpoint.TargetPort}"
                : variable.Value);
        Assert.Equal(addresses, string.Join(' ', values));
    }

    [Fact]
    public async Task Gateway_may_be_called_by_the_edges_name()
    {
        await using var model = await CreateAsync("--Hazumu:Edge:Name=llm.example", "--Hazumu:Gateway:AllowedHosts=gpu.example.org");

        Assert.Equal("gateway,llm.example,gpu.example.org", (await model.EnvironmentAsync(model.Gateway))["Gateway__AllowedHosts"]);
    }

    [Theory]
    [InlineData(null, "is not set")]
    [InlineData("admin", "has fewer than 12 characters")]
    [InlineData("0123456789a", "has fewer than 12 characters")]
    [InlineData("administrator", "is easy to guess")]
    [InlineData("Password1234", "is easy to guess")]
    [InlineData("changeme-changeme", "is easy to guess")]
    [InlineData("AdminPassword", "is easy to guess")]
    [InlineData("passw0rd1234", "is easy to guess")]
    [InlineData("password12345", "is easy to guess")]
    [InlineData("aaaaaaaaaaaa", "is easy to guess")]
    [InlineData("prom-operator", "is easy to guess")]
    [InlineData("            ", "begins or ends with a space")]
    [InlineData("correct horse battery staple", null)]
    [InlineData(GoodPassword, null)]
    public void A_password_that_is_easy_to_guess_is_refused(string? password, string? why) => Assert.Equal(why, ProductionSettings.FindWeakness(password));

    [Fact]
    public void Settings_that_contradict_production_are_reported_at_once()
    {
        var problems = Apply(("Hazumu:Production", "true"), ("Hazumu:Gateway:RequireKeys", "false"), ("Hazumu:Edge:Tls", "files"), ("Parameters:grafana-admin-password", "admin"));

        Assert.Equal(
            [
                "'Hazumu:Production' is 'true', and 'Hazumu:Gateway:RequireKeys' is 'false'; in production every request needs a key: leave that setting out, or set it to true.",
                "'Hazumu:Production' is 'true', and the password of Grafana's administrator ('Parameters:grafana-admin-password') has fewer than 12 characters; set one of 12 characters or more, such as 'openssl rand -hex 24' prints.",
                "'Hazumu:Edge:Tls' is 'files', but 'Hazumu:Edge:CertificateFile' and 'Hazumu:Edge:KeyFile' do not both name a file.",
            ],
            problems);
    }

    [Fact]
    public void A_missing_certificate_is_reported()
    {
        var builder = DistributedApplication.CreateBuilder();
        var settings = new EdgeOptions { Section = "Edge", CertificateFile = "/nowhere/certificate.pem" };

        Assert.Equal(
            "'Hazumu:Edge:CertificateFile' is '/nowhere/certificate.pem', but this file does not exist; correct the path.",
            Assert.Single(Assert.Throws<StartupProblemException>(() => builder.AddCaddy("edge", settings)).Problems));
    }

    private static Task<GraphModel> CreateAsync(params string[] options) =>
        GraphModel.CreateAsync(["--Hazumu:Production=true", "--Hazumu:Gateway:RequireKeys=true", $"--Parameters:grafana-admin-password={GoodPassword}", .. options]);

    private static IReadOnlyList<string> Apply(params (string Key, string Value)[] settings)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value)).Build();
        return Assert.Throws<StartupProblemException>(() => ProductionSettings.Apply(HazumuOptions.Read(configuration), configuration, new DistributedApplicationExecutionContext(DistributedApplicationOperation.Run))).Problems;
    }
}
