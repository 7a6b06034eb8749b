using Microsoft.Extensions.Configuration;

namespace Hazumu.ServiceDefaults;

/// <summary>Whether telemetry goes out by OTLP; the exporter itself would pass over an endpoint it cannot read.</summary>
/// <remarks>Keys: https://opentelemetry.io/docs/specs/otel/protocol/exporter/</remarks>
internal static class OtlpEndpoint
{
    private const string Key = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private static readonly string[] s_keys =
    [
        Key,
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ];

    /// <summary>Whether an endpoint for all signals is configured.</summary>
    /// <exception cref="InvalidOperationException">An endpoint is no absolute http or https URI.</exception>
    public static bool IsSet(IConfiguration configuration)
    {
        foreach (var key in s_keys)
        {
            var value = configuration[key];
            if (!string.IsNullOrWhiteSpace(value) && !IsReadable(value))
            {
                throw new InvalidOperationException(
                    $"{key} is '{WithoutSecrets(value)}', but it must be an absolute http or https URI such as http://localhost:4317.");
            }
        }

        return !string.IsNullOrWhiteSpace(configuration[Key]);
    }

    // "collector:4317" is an absolute URI too, of the scheme "collector".
    private static bool IsReadable(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps);

    /// <summary>The value without what may hold a password or a token: all up to an @, and a query.</summary>
    private static string WithoutSecrets(string value)
    {
        var query = value.IndexOf('?', StringComparison.Ordinal);
        var shown = query < 0 ? value : value[..query] + "?…";
        var at = shown.LastIndexOf('@');
        return at < 0 ? shown : "…" + shown[at..];
    }
}
