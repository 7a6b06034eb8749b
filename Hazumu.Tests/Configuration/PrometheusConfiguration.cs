
namespace Hazumu.Tests.Configuration;

/// <summary>The part of prometheus.yml that the tests look at.</summary>
internal sealed class PrometheusConfiguration
{
    public GlobalSettings Global { get; init; } = new();

    public List<string> RuleFiles { get; init; } = [];

    public List<ScrapeJob> ScrapeConfigs { get; init; } = [];

    public static PrometheusConfiguration Read() => ConfigurationFile.ReadUnderscored<PrometheusConfiguration>("prometheus", "prometheus.yml");

    public ScrapeJob Job(string name) => Assert.Single(ScrapeConfigs, job => job.JobName == name);

    internal sealed class GlobalSettings
    {
        public string ScrapeInterval { get; init; } = "";

        public string EvaluationInterval { get; init; } = "";
    }

    internal sealed class ScrapeJob
    {
        public string JobName { get; init; } = "";

        public Dictionary<string, List<string>> Params { get; init; } = [];

        public List<FileDiscovery> FileSdConfigs { get; init; } = [];

        public List<RelabelRule> RelabelConfigs { get; init; } = [];

        public List<RelabelRule> MetricRelabelConfigs { get; init; } = [];
    }

    internal sealed class FileDiscovery
    {
        public List<string> Files { get; init; } = [];
    }

    internal sealed class RelabelRule
    {
        public List<string> SourceLabels { get; init; } = [];

        public string Separator { get; init; } = ";";

        public string TargetLabel { get; init; } = "";

        public string Replacement { get; init; } = "$1";

        public string Regex { get; init; } = "(.*)";

        public string Action { get; init; } = "replace";
    }
}
