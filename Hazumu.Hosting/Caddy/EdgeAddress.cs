using Hazumu.Hosting.Publishing;

namespace Hazumu.Hosting.Caddy;

/// <summary>Where people find what is behind the edge.</summary>
internal static class EdgeAddress
{
    /// <summary>Grafana's address, without a slash at its end.</summary>
    public static string OfGrafana(EdgeOptions edge)
    {
        var port = edge.Port == 443 ? "" : $":{edge.Port}";
        return edge.GrafanaName is { } host ? $"https://{host}{port}" : $"https://{edge.Name}{port}/grafana";
    }

    /// <summary>The same as Compose finds it out. Compose cannot leave a port out by its value: whoever publishes another names the whole address.</summary>
    public static string OfPublishedGrafana(EdgeOptions edge)
    {
        var variables = new ComposeVariables(edge);
        return $"${{GRAFANA_URL:-https://{variables.Setting(nameof(edge.GrafanaName), variables.Setting(nameof(edge.Name), edge.Name) + "/grafana")}}}";
    }
}
