namespace Hazumu.Bench.Proxies;

/// <summary>Another build of the gateway, or another environment, measured beside the gateway in the same rounds.</summary>
/// <param name="Path">Its program.</param>
/// <param name="Environment">Added to its environment.</param>
internal sealed record GatewayVariant(string Path, IReadOnlyList<KeyValuePair<string, string>> Environment)
{
    /// <summary>Reads <c>PATH[,NAME=VALUE…]</c>; an empty path stands for the gateway's own.</summary>
    public static GatewayVariant Parse(string text, string ownPath)
    {
        var parts = text.Split(',');
        return new(parts[0].Length > 0 ? parts[0] : ownPath, Arguments.PairsOf("--variant", parts.Skip(1)));
    }
}
