using System.Buffers;
using System.Collections;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>The id by which a client, the log and the engine name the same request.</summary>
internal static class RequestId
{
    /// <summary>The header in answers to Anthropic's clients.</summary>
    public const string AnthropicHeaderName = "request-id";

    /// <summary>The longest id that a client may choose.</summary>
    public const int LongestLength = 128;

    // The characters of ids of proxies and clients; none needs escaping in a line of a log, JSON or a query.
    private static readonly SearchValues<char> s_allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=@~");

    /// <summary>The id that the client has chosen, else a new one.</summary>
    public static string Of(HttpRequest request) =>
        request.Headers[GatewayHeaders.RequestId] is [{ Length: > 0 and <= LongestLength } chosen] && !chosen.AsSpan().ContainsAnyExcept(s_allowed)
            ? chosen
            : Guid.NewGuid().ToString("N");

    /// <summary>Has every line that is logged until the result is disposed of carry the id.</summary>
    public static IDisposable? BeginScope(ILogger logger, string id) => logger.BeginScope(new LogScope(id));

    private sealed class LogScope(string id) : IReadOnlyList<KeyValuePair<string, object?>>
    {
        private const string Name = "request_id";

        public int Count => 1;

        public KeyValuePair<string, object?> this[int index] => index == 0 ? new(Name, id) : throw new ArgumentOutOfRangeException(nameof(index));

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
        {
            yield return this[0];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public override string ToString() => $"{Name}:{id}";
    }
}
