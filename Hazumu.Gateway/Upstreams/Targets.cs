using System.Collections.Concurrent;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Upstreams;

/// <summary>
/// The URLs of an instance by path, because parsing one for each request takes longer than finding it.
/// </summary>
/// <param name="prefix">The instance's URL without the slash at its end.</param>
internal sealed class Targets(string prefix)
{
    // Ollama has some forty routes; those with names in their paths, and whatever clients make up, are parsed each time.
    private const int Limit = 64;

    private readonly ConcurrentDictionary<string, Uri> _known = new(StringComparer.Ordinal);

    /// <summary>The instance's URL without the slash at its end, as the forwarder wants it.</summary>
    public string Prefix { get; } = prefix;

    /// <summary>The URL of a path, escaped as the forwarder does.</summary>
    public Uri Find(PathString path, QueryString query)
    {
        if (query.HasValue || path.Value is not { } text)
        {
            return RequestUtilities.MakeDestinationAddress(Prefix, path, query);
        }

        if (!_known.TryGetValue(text, out var target))
        {
            target = RequestUtilities.MakeDestinationAddress(Prefix, path, query);
            if (_known.Count < Limit)
            {
                _known.TryAdd(text, target);
            }
        }

        return target;
    }
}
