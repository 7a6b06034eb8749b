using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Hazumu.Gateway.Keys;

/// <summary>How the requests of a trusted key name their end users: headers in the order in which they are looked at, then the body.</summary>
internal sealed class EndUserSources
{
    /// <summary>The allowed values, for messages.</summary>
    public const string Allowed = "names of request headers such as X-OpenWebUI-User-Id, and 'body' for OpenAI's 'safety_identifier' and 'user' and Anthropic's 'metadata.user_id'";

    private const string Body = "body";

    private static readonly SearchValues<char> s_headerCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~");

    // A name there would put a credential into the log.
    private static readonly string[] s_credentials = ["authorization", "x-api-key", "api-key", "cookie", "proxy-authorization"];

    private EndUserSources(IReadOnlyList<string> headers, bool readsBody) => (Headers, ReadsBody) = (headers, readsBody);

    /// <summary>Names of headers: the first that holds a name counts.</summary>
    public IReadOnlyList<string> Headers { get; }

    /// <summary>Whether a member of the body counts where no header names anybody.</summary>
    public bool ReadsBody { get; }

    /// <summary>The sources as they are written.</summary>
    public IEnumerable<string> Names => ReadsBody ? [.. Headers, Body] : Headers;

    /// <summary>Reads sources; none at all is <see langword="null"/>.</summary>
    /// <param name="names">The sources.</param>
    /// <param name="sources">The result.</param>
    /// <param name="wrong">The first that is not allowed.</param>
    public static bool TryParse(IEnumerable<string> names, out EndUserSources? sources, [NotNullWhen(false)] out string? wrong)
    {
        var headers = new List<string>();
        var readsBody = false;
        sources = null;
        foreach (var name in names.Select(name => name.Trim()))
        {
            if (name.Equals(Body, StringComparison.OrdinalIgnoreCase))
            {
                readsBody = true;
            }
            else if (name.Length is 0 or > 64 || name.AsSpan().ContainsAnyExcept(s_headerCharacters) || s_credentials.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                wrong = name;
                return false;
            }
            else
            {
                headers.Add(name);
            }
        }

        sources = headers.Count > 0 || readsBody ? new(headers, readsBody) : null;
        wrong = null;
        return true;
    }

    /// <summary>The sources, separated by commas.</summary>
    public override string ToString() => string.Join(',', Names);
}
