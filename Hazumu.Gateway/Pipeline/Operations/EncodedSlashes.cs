using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Pipeline.Operations;

/// <summary>
/// Clients encode the slashes of a model's name: <c>/v1/models/hf.co%2Fsomebody%2Fsomething</c>. Kestrel leaves those in the path as they
/// are, and the forwarder would encode the percent sign once more. Ollama takes them for slashes, so that this must too, before it looks
/// which route, and with it which scope, a path means.
/// </summary>
internal static class EncodedSlashes
{
    private const string Slash = "%2F";

    /// <summary>Decodes them in a request's path.</summary>
    /// <returns>Whether that leaves the path where it is; <c>..%2F</c> does not, and is left alone.</returns>
    public static bool TryDecode(HttpContext context)
    {
        var request = context.Request;
        if (request.Path.Value is not { } path || !path.Contains(Slash, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        // The text may also be what is left of %252F: that is no slash.
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var end = target.IndexOf('?', StringComparison.Ordinal);
        if (!target.AsSpan(0, end < 0 ? target.Length : end).Contains(Slash, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        var decoded = path.Replace(Slash, "/", StringComparison.OrdinalIgnoreCase);
        if (decoded.Split('/').Any(segment => segment is "." or ".."))
        {
            return false;
        }

        request.Path = decoded;
        return true;
    }
}
