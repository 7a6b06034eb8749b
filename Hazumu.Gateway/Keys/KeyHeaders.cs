namespace Hazumu.Gateway.Keys;

/// <summary>The headers that a key may come in.</summary>
[Flags]
internal enum KeyHeaders
{
    /// <summary>Neither.</summary>
    None = 0,

    /// <summary><c>Authorization</c>.</summary>
    Authorization = 1,

    /// <summary><c>x-api-key</c>.</summary>
    ApiKey = 2,
}

/// <summary>Their names.</summary>
internal static class KeyHeaderNames
{
    /// <summary>As Anthropic's clients send it.</summary>
    public const string ApiKey = "x-api-key";

    /// <summary>Takes headers that hold a key of this gateway's out of a request, before it is passed on.</summary>
    public static void RemoveFrom(this KeyHeaders ours, IHeaderDictionary headers)
    {
        if (ours.HasFlag(KeyHeaders.Authorization))
        {
            headers.Authorization = default;
        }

        if (ours.HasFlag(KeyHeaders.ApiKey))
        {
            headers.Remove(ApiKey);
        }
    }
}
