namespace Hazumu.Tests.Configuration;

/// <summary>The part of the Blackbox exporter's configuration that the tests look at.</summary>
internal sealed class BlackboxConfiguration
{
    public Dictionary<string, ProbeModule> Modules { get; init; } = [];

    public static BlackboxConfiguration Read() => ConfigurationFile.ReadUnderscored<BlackboxConfiguration>("blackbox", "config.yml");

    internal sealed class ProbeModule
    {
        public string Prober { get; init; } = "";

        public HttpProbe Http { get; init; } = new();
    }

    internal sealed class HttpProbe
    {
        public string Method { get; init; } = "GET";

        public bool FollowRedirects { get; init; } = true;

        public List<int> ValidStatusCodes { get; init; } = [];

        public List<string> FailIfBodyNotMatchesRegexp { get; init; } = [];
    }
}
