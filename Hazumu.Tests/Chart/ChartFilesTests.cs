using System.Text.Json.Nodes;
using Hazumu.Testing;
using Hazumu.Tests.Compose;
using Json.Schema;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Chart;

/// <summary>What can be seen of the chart without rendering it.</summary>
public sealed class ChartFilesTests
{
    public static TheoryData<string, string> Wrong => new()
    {
        { "ollama: { replica: 2 }", "a name that there is not" },
        { "ollama: { replicas: two }", "no number" },
        { "ollama: { gpu: { vendor: intel } }", "a vendor that there is not" },
        { "ollama: { models: ['a; rm -rf /'] }", "no model's name" },
        { "gateway: { settings: { Keys: { Configured: { a: { Key: 'hzm_x' } } } } }", "a key in clear" },
        { "gateway: { settings: { Cluster: { Password: '0123456789abcdef0123' } } }", "a secret in clear" },
        { "grafana: { environment: { GF_SECURITY_ADMIN_PASSWORD: correct-horse-battery } }", "a password in clear" },
        { "grafana: { adminPassword: correct-horse-battery }", "a password in clear" },
        { "gateway: { keys: { existingSecret: '' } }", "no Secret" },
        { "images: { gateway: { tag: 1 } }", "a tag that YAML takes for a number" },
        { "images: { prometeus: { tag: 'v3' } }", "a component that there is not" },
        { "networkPolicy: { nodes: ['10.0.0.1'] }", "no CIDR" },
        { "prometheus: { retention: 15 days }", "no duration" },
        { "loki: { retention: 12h }", "less than a table of Loki's index" },
        { "loki: { enabled: true }", "a second switch" },
        { "grafana: { access: { users: 'alice correct-horse-battery' } }", "a password in clear" },
        { "grafana: { oidc: { clientSecret: correct-horse-battery } }", "a secret in clear" },
        { "grafana: { oidc: { authUrl: id.example } }", "no address" },
    };

    [Fact]
    public void The_values_are_what_their_schema_allows() => Assert.Empty(Problems(ToJson(Read("values.yaml"))));

    [Theory]
    [MemberData(nameof(ChartFolder.Values), MemberType = typeof(ChartFolder))]
    public void So_are_the_values_of_these_tests(string values) => Assert.Empty(Problems(ToJson(Load(File.ReadAllText(ChartFolder.ValuesFile(values))))));

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_wrong_value_is_refused(string values, string what) => Assert.True(Problems(ToJson(Load(values))).Count > 0, $"The schema lets pass {what}: {values}");

    [Fact]
    public void Every_service_of_the_Compose_application_has_its_place()
    {
        var known = ChartFolder.Known;
        var services = PublishedCompose.Services.Where(service => service.IsWhole && service.IsLasting).Select(service => service.Name)
            .Distinct()
            .Order(StringComparer.Ordinal);

        // Those of an option are in the chart, or said to be elsewhere, like any other.
        Assert.Equal(services, known.Components.Keys.Concat(known.Elsewhere.Keys).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_component_has_a_template_values_and_an_image()
    {
        var values = (YamlMappingNode)Read("values.yaml");

        Assert.All(ChartFolder.Known.Components.Keys, component =>
        {
            Assert.True(File.Exists(Path.Combine(ChartFolder.Folder, "templates", $"{component}.yaml")), $"templates/{component}.yaml is missing.");
            Assert.True(values.Children.ContainsKey(component), $"values.yaml has no section {component}.");
            Assert.True(((YamlMappingNode)values["images"]).Children.ContainsKey(component), $"values.yaml has no image of {component}.");
        });
    }

    [Fact]
    public void Components_that_the_chart_lacks_are_documented()
    {
        var text = File.ReadAllText(RepositoryRoot.Combine("docs", "kubernetes.md"));

        Assert.All(ChartFolder.Known.Elsewhere.Keys, component => Assert.Contains(component, text, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Every_default_that_the_AppHost_has_too_is_the_same()
    {
        // In Compose as ${Hazumu__Prometheus__Retention:-15d}.
        var compose = File.ReadAllText(Path.Combine(Published.Compose, "docker-compose.yaml")) + File.ReadAllText(Path.Combine(Published.Compose, "docker-compose.logs.yaml"));
        var values = Read("values.yaml");

        Assert.Contains($"${{Hazumu__Prometheus__Retention:-{values["prometheus"]["retention"]}}}", compose, StringComparison.Ordinal);
        Assert.Contains($"${{Hazumu__Ollama__Parallel:-{values["ollama"]["parallel"]}}}", compose, StringComparison.Ordinal);
        Assert.Contains($"${{Hazumu__Loki__Retention:-{values["loki"]["retention"]}}}", compose, StringComparison.Ordinal);
        Assert.Contains($"${{GRAFANA_OIDC_NAME:-{values["grafana"]["oidc"]["name"]}}}", compose, StringComparison.Ordinal);
        Assert.Contains($"${{GRAFANA_OIDC_SCOPES:-{values["grafana"]["oidc"]["scopes"]}}}", compose, StringComparison.Ordinal);
        Assert.Contains($"${{GRAFANA_OIDC_ROLE_ATTRIBUTE_PATH:-{values["grafana"]["oidc"]["roleAttributePath"]}}}", compose, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_value_is_used()
    {
        var templates = string.Concat(Directory.EnumerateFiles(Path.Combine(ChartFolder.Folder, "templates")).Select(File.ReadAllText));
        var values = (YamlMappingNode)Read("values.yaml");
        // Handed on as they are, or looked up by a component's name.
        string[] generic = ["resources", "nodeSelector", "tolerations", "affinity", "environment", "clients", "gateway", "grafana", "ollama", "alertmanager"];

        var unused = Leaves(values, [])
            .Where(path => path[0] != "images" && !generic.Intersect(path.Skip(1)).Any())
            .Where(path => !templates.Contains($".{path[^1]}", StringComparison.Ordinal));

        Assert.Empty(unused.Select(path => string.Join('.', path)));
    }

    private static IEnumerable<string[]> Leaves(YamlNode node, string[] path) => node is YamlMappingNode { Children.Count: > 0 } mapping
        ? mapping.SelectMany(entry => Leaves(entry.Value, [.. path, ((YamlScalarNode)entry.Key).Value!]))
        : [path];

    private static List<string> Problems(JsonNode? values)
    {
        var schema = JsonSchema.FromText(File.ReadAllText(Path.Combine(ChartFolder.Folder, "values.schema.json")));
        var results = schema.Evaluate(System.Text.Json.JsonSerializer.SerializeToElement(values), new EvaluationOptions { OutputFormat = OutputFormat.List });
        return results.IsValid ? [] : [.. (results.Details ?? []).Where(detail => detail.Errors is not null).SelectMany(detail => detail.Errors!.Select(error => $"{detail.InstanceLocation}: {error.Value}")).DefaultIfEmpty("not valid")];
    }

    private static YamlNode Read(string file) => Load(File.ReadAllText(Path.Combine(ChartFolder.Folder, file)));

    private static YamlNode Load(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return stream.Documents[0].RootNode;
    }

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Select(entry => KeyValuePair.Create(((YamlScalarNode)entry.Key).Value!, ToJson(entry.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Select(ToJson)]),
        YamlScalarNode { Style: not ScalarStyle.Plain } text => text.Value,
        YamlScalarNode { Value: "true" or "false" } flag => flag.Value == "true",
        YamlScalarNode scalar when long.TryParse(scalar.Value, out var number) => number,
        YamlScalarNode scalar => scalar.Value,
        _ => throw new InvalidOperationException($"{node.NodeType} has no place in values."),
    };
}
