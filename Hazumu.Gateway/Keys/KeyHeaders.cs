using Microsoft.Extensions.Primitives;

namespace Hazumu.Gateway.Keys;

/// <summary>The headers that a key may come in.</summary>
[Flags]
internal enum KeyHeaders
{
    /// <summary>None of them.</summary>
    None = 0,

    /// <summary><c>Authorization</c>.</summary>
    Authorization = 1,

    /// <summary><c>x-api-key</c>, as Anthropic's clients send it.</summary>
    ApiKey = 2,

    /// <summary><c>api-key</c>, as Azure's clients send it.</summary>
    AzureApiKey = 4,
}

/// <summary>The names of <see cref="KeyHeaders"/>.</summary>
internal static class KeyHeaderNames
{
    private static readonly (KeyHeaders Header, string Name)[] s_names =
        [(KeyHeaders.Authorization, "Authorization"), (KeyHeaders.ApiKey, "x-api-key"), (KeyHeaders.AzureApiKey, "api-key")];

    /// <summary>Reads one of them.</summary>
    public static StringValues Read(this KeyHeaders header, IHeaderDictionary headers)
    {
        foreach (var (known, name) in s_names)
        {
            if (known == header)
            {
                return headers[name];
            }
        }

        return default;
    }

    /// <summary>Removes headers from a request before it is forwarded.</summary>
    public static void RemoveFrom(this KeyHeaders removed, IHeaderDictionary headers)
    {
        foreach (var (header, name) in s_names)
        {
            if (removed.HasFlag(header))
            {
                headers.Remove(name);
            }
        }
    }
}
