using System.Globalization;

namespace Hazumu.Gateway.Forwarding;

/// <summary>Headers of the gateway's own.</summary>
internal static class GatewayHeaders
{
    /// <summary>In an answer: the instance that gave it. In a request that manages models: the instance it is for.</summary>
    public const string Instance = "Hazumu-Instance";

    /// <summary>In an answer: the request's place in the queue when it joined; 0 where it did not wait.</summary>
    public const string QueuePosition = "Hazumu-Queue-Position";
}

/// <summary>Small numbers as text, without making it anew for each request.</summary>
internal static class Positions
{
    private static readonly string[] s_small = [.. Enumerable.Range(0, 256).Select(number => number.ToString(CultureInfo.InvariantCulture))];

    public static string Text(int number) => (uint)number < (uint)s_small.Length ? s_small[number] : number.ToString(CultureInfo.InvariantCulture);
}
