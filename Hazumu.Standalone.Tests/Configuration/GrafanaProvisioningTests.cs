using Xunit;

namespace Hazumu.Standalone.Tests.Configuration;

public sealed class GrafanaProvisioningTests
{
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
        public List<DataSource> Datasources { get; init; } = [];
    }

    internal sealed class DataSource
    {
        public string Uid { get; init; } = "";

        public string Type { get; init; } = "";

        public string Url { get; init; } = "";

        public bool IsDefault { get; init; }

        public bool Editable { get; init; } = true;

        public Dictionary<string, string> JsonData { get; init; } = [];
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
