using Hazumu.Tests.Configuration;
using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Dashboards;

public sealed class GrafanaProvisioningTests
{
    /// <summary>All data sources, in the order of their files' names.</summary>
    internal static IReadOnlyList<DataSource> DataSources =>
    [
        .. Directory.EnumerateFiles(RepositoryRoot.Combine("grafana", "provisioning", "datasources")).Order(StringComparer.Ordinal)
            .SelectMany(file => ConfigurationFile.ReadCamelCase<DataSourceFile>(file).Datasources),
    ];

    [Fact]
    public void Uids_never_change() =>
        Assert.Equal([("alertmanager", "alertmanager"), ("loki", "loki"), ("prometheus", DashboardTests.DataSourceUid)], DataSources.Select(source => (source.Type, source.Uid)));

    [Fact]
    public void A_data_source_goes_with_its_file() => Assert.All(
        Directory.EnumerateFiles(RepositoryRoot.Combine("grafana", "provisioning", "datasources")),
        file => Assert.True(ConfigurationFile.ReadCamelCase<DataSourceFile>(file).Prune, $"{file} is not pruned."));

    [Fact]
    public void A_line_of_the_access_log_leads_to_its_trace()
    {
        var field = Assert.Single(ConfigurationFile.ReadCamelCase<LokiFile>("grafana", "provisioning", "datasources", "loki.yml").Datasources).JsonData.DerivedFields.Single();

        Assert.Equal("06e6e1ceefdf30dd4f301708101d30cd", Regex.Match("""{"time":"2026-08-24T09:30:05.120Z","type":"access","trace":"06e6e1ceefdf30dd4f301708101d30cd","method":"GET"}""", field["matcherRegex"]).Groups[1].Value);
        // Grafana shows no link where the variable is empty.
        Assert.Equal("$TRACE_LINK", field["url"]);
    }

    [Fact]
    public void Grafana_does_not_query_Loki_for_alerts() =>
        Assert.False(Assert.Single(ConfigurationFile.ReadCamelCase<LokiFile>("grafana", "provisioning", "datasources", "loki.yml").Datasources).JsonData.ManageAlerts);

    [Fact]
    public void The_data_source_has_the_uid_that_dashboards_name()
    {
        var source = Assert.Single(ConfigurationFile.ReadCamelCase<DataSourceFile>("grafana", "provisioning", "datasources", "prometheus.yml").Datasources);

        Assert.Equal((DashboardTests.DataSourceUid, "prometheus"), (source.Uid, source.Type));
        Assert.Equal("$PROMETHEUS_URL", source.Url);
        Assert.True(source.IsDefault);
        Assert.False(source.Editable);
    }

    [Fact]
    public void The_data_source_knows_the_scrape_interval()
    {
        var source = Assert.Single(ConfigurationFile.ReadCamelCase<DataSourceFile>("grafana", "provisioning", "datasources", "prometheus.yml").Datasources);

        Assert.Equal(PrometheusConfiguration.Read().Global.ScrapeInterval, source.JsonData["timeInterval"]);
    }

    [Fact]
    public void Dashboards_are_read_from_where_they_are_mounted()
    {
        var provider = Assert.Single(ConfigurationFile.ReadCamelCase<ProviderFile>("grafana", "provisioning", "dashboards", "hazumu.yml").Providers);

        Assert.Equal(("Hazumu", "file"), (provider.Folder, provider.Type));
        Assert.Equal("/etc/grafana/dashboards", provider.Options["path"]);
        Assert.False(provider.AllowUiUpdates);
    }

    internal sealed class DataSourceFile
    {
        public bool Prune { get; init; }

        public List<DataSource> Datasources { get; init; } = [];
    }

    internal sealed class DataSource
    {
        public string Uid { get; init; } = "";

        public string Type { get; init; } = "";

        public string Url { get; init; } = "";

        public bool IsDefault { get; init; }

        public bool Editable { get; init; } = true;

        public Dictionary<string, object> JsonData { get; init; } = [];
    }

    internal sealed class LokiFile
    {
        public List<LokiDataSource> Datasources { get; init; } = [];
    }

    internal sealed class LokiDataSource
    {
        public LokiOptions JsonData { get; init; } = new();
    }

    internal sealed class LokiOptions
    {
        public bool ManageAlerts { get; init; } = true;

        public List<Dictionary<string, string>> DerivedFields { get; init; } = [];
    }

    internal sealed class ProviderFile
    {
        public List<Provider> Providers { get; init; } = [];
    }

    internal sealed class Provider
    {
        public string Folder { get; init; } = "";

        public string Type { get; init; } = "";

        public bool AllowUiUpdates { get; init; } = true;

        public Dictionary<string, string> Options { get; init; } = [];
    }
}
