using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace Hazumu.Testing;

/// <summary>One series of an instant query.</summary>
/// <param name="Labels">Its labels, the name among them as <c>__name__</c>.</param>
/// <param name="Value">Its value now.</param>
public sealed record Sample(IReadOnlyDictionary<string, string> Labels, double Value)
{
    /// <summary>A label's value; empty where the series has no such label, as in PromQL.</summary>
    /// <param name="label">The label's name.</param>
    public string this[string label] => Labels.TryGetValue(label, out var value) ? value : "";
}

/// <summary>One scrape target as Prometheus sees it.</summary>
/// <param name="Job">The job.</param>
/// <param name="Instance">The instance label.</param>
/// <param name="Health"><c>up</c>, <c>down</c> or <c>unknown</c>.</param>
/// <param name="LastError">Why the last scrape failed; empty where it did not.</param>
public sealed record ScrapeTarget(string Job, string Instance, string Health, string LastError);

/// <summary>The part of Prometheus' HTTP API that the tests use (https://prometheus.io/docs/prometheus/latest/querying/api/).</summary>
/// <param name="http">A client.</param>
/// <param name="address">The server.</param>
public sealed class PrometheusClient(HttpClient http, Uri address)
{
    /// <summary>Evaluates an expression now.</summary>
    /// <param name="expression">PromQL.</param>
    /// <exception cref="InvalidOperationException">Prometheus refuses the expression; carries its explanation.</exception>
    public async Task<IReadOnlyList<Sample>> QueryAsync(string expression)
    {
        var data = await GetAsync($"api/v1/query?query={Uri.EscapeDataString(expression)}");
        return data.GetProperty("resultType").GetString() is "vector"
            ? [.. data.GetProperty("result").EnumerateArray().Select(ReadSample)]
            : throw new InvalidOperationException($"'{expression}' gives a {data.GetProperty("resultType")}, not a vector.");
    }

    /// <summary>Lists the active targets.</summary>
    public async Task<IReadOnlyList<ScrapeTarget>> GetTargetsAsync()
    {
        var data = await GetAsync("api/v1/targets?state=active");
        return [.. data.GetProperty("activeTargets").EnumerateArray().Select(target => new ScrapeTarget(
            target.GetProperty("labels").GetProperty("job").GetString()!,
            target.GetProperty("labels").GetProperty("instance").GetString()!,
            target.GetProperty("health").GetString()!,
            target.GetProperty("lastError").GetString()!))];
    }

    /// <summary>The server's runtime information, such as <c>storageRetention</c>.</summary>
    public Task<JsonElement> GetRuntimeInfoAsync() => GetAsync("api/v1/status/runtimeinfo");

    private async Task<JsonElement> GetAsync(string path)
    {
        using var response = await http.GetAsync(new Uri(address, path));
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        return answer.GetProperty("status").GetString() == "success"
            ? answer.GetProperty("data")
            : throw new InvalidOperationException($"Prometheus refuses '{Uri.UnescapeDataString(path)}': {answer.GetProperty("error").GetString()}");
    }

    private static Sample ReadSample(JsonElement element) => new(
        element.GetProperty("metric").EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetString()!),
        double.Parse(element.GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture));
}
