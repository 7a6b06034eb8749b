using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hazumu.Cli.Doctor.Clients;

/// <summary>
/// The part of Prometheus' HTTP API that the checks use (https://prometheus.io/docs/prometheus/latest/querying/api/).
/// </summary>
/// <param name="client">Prometheus.</param>
internal sealed class PrometheusApi(ComponentClient client)
{
    /// <summary>Lists the active targets.</summary>
    public async Task<IReadOnlyList<Target>> GetTargetsAsync(CancellationToken cancellationToken) =>
        (await GetAsync<TargetList>("api/v1/targets?state=active", cancellationToken)).Data.ActiveTargets;

    /// <summary>Lists the rules, with Prometheus' own time.</summary>
    public async Task<(IReadOnlyList<RuleGroup> Groups, DateTimeOffset Now)> GetRulesAsync(CancellationToken cancellationToken)
    {
        var (data, now) = await GetAsync<RuleList>("api/v1/rules", cancellationToken);
        return (data.Groups, now);
    }

    /// <summary>The server's own description.</summary>
    public async Task<RuntimeInfo> GetRuntimeInfoAsync(CancellationToken cancellationToken) =>
        (await GetAsync<RuntimeInfo>("api/v1/status/runtimeinfo", cancellationToken)).Data;

    /// <summary>How long the server has been running, by its own clock.</summary>
    public async Task<TimeSpan> GetUptimeAsync(CancellationToken cancellationToken)
    {
        var (info, now) = await GetAsync<RuntimeInfo>("api/v1/status/runtimeinfo", cancellationToken);
        return now - info.StartTime;
    }

    /// <summary>The Alertmanagers that Prometheus sends alerts to.</summary>
    public async Task<IReadOnlyList<AlertmanagerTarget>> GetAlertmanagersAsync(CancellationToken cancellationToken) =>
        (await GetAsync<AlertmanagerList>("api/v1/alertmanagers", cancellationToken)).Data.ActiveAlertmanagers;

    /// <summary>Evaluates an expression that gives a vector.</summary>
    public async Task<IReadOnlyList<Sample>> QueryAsync(string expression, CancellationToken cancellationToken) =>
        (await GetAsync<QueryResult>($"api/v1/query?query={Uri.EscapeDataString(expression)}", cancellationToken)).Data.Result;

    /// <summary>Evaluates an expression that gives at most one number.</summary>
    public async Task<double?> QueryNumberAsync(string expression, CancellationToken cancellationToken) =>
        await QueryAsync(expression, cancellationToken) is [var sample, ..] && double.IsFinite(sample.Number) ? sample.Number : null;

    private async Task<(T Data, DateTimeOffset Now)> GetAsync<T>(string path, CancellationToken cancellationToken) where T : class
    {
        var answer = await client.GetAsync(path, cancellationToken);
        var envelope = client.Read<Envelope<T>>(path, answer);
        return envelope is { Status: "success", Data: { } data } ? (data, answer.Now) : throw client.UnexpectedAnswer(path, answer);
    }

    private sealed record Envelope<T>(string Status, T? Data = null) where T : class;

    private sealed record TargetList(IReadOnlyList<Target> ActiveTargets);

    private sealed record RuleList(IReadOnlyList<RuleGroup> Groups);

    private sealed record AlertmanagerList(IReadOnlyList<AlertmanagerTarget> ActiveAlertmanagers);

    private sealed record QueryResult(IReadOnlyList<Sample> Result);

    /// <summary>A scrape target.</summary>
    internal sealed record Target(IReadOnlyDictionary<string, string> Labels, string Health, string LastError)
    {
        public string Job => Labels.GetValueOrDefault("job", "");

        public string Instance => Labels.GetValueOrDefault("instance", "");
    }

    /// <summary>A group of rules; the interval is in seconds.</summary>
    internal sealed record RuleGroup(string Name, double Interval, DateTimeOffset LastEvaluation, IReadOnlyList<Rule> Rules);

    /// <summary>A rule; its health is <c>ok</c>, <c>err</c> or <c>unknown</c>.</summary>
    internal sealed record Rule(string Name, string Health, string? LastError = null);

    /// <summary>The server's own description.</summary>
    internal sealed record RuntimeInfo(DateTimeOffset StartTime, bool ReloadConfigSuccess, DateTimeOffset LastConfigTime, string StorageRetention);

    /// <summary>An Alertmanager, by its address.</summary>
    internal sealed record AlertmanagerTarget(string Url);

    /// <summary>A series with its value now.</summary>
    internal sealed record Sample(IReadOnlyDictionary<string, string> Metric, [property: JsonConverter(typeof(ValueConverter))] double? Value = null)
    {
        public double Number => Value ?? double.NaN;

        public string this[string label] => Metric.GetValueOrDefault(label, "");
    }

    // [1700000000.123, "0.5"]
    private sealed class ValueConverter : JsonConverter<double?>
    {
        public override double? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var pair = JsonElement.ParseValue(ref reader);
            return pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2 && pair[1].ValueKind == JsonValueKind.String
                && TryParse(pair[1].GetString()!, out var value)
                    ? value
                    : throw new JsonException();
        }

        public override void Write(Utf8JsonWriter writer, double? value, JsonSerializerOptions options) => throw new NotSupportedException();

        private static bool TryParse(string text, out double value)
        {
            value = text switch { "NaN" => double.NaN, "+Inf" => double.PositiveInfinity, "-Inf" => double.NegativeInfinity, _ => 0 };
            return value != 0 || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        }
    }
}
