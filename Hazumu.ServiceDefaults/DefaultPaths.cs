using Microsoft.AspNetCore.Http;

namespace Hazumu.ServiceDefaults;

/// <summary>The paths that every service answers for those who run it.</summary>
internal static class DefaultPaths
{
    public const string Health = "/health";
    public const string Alive = "/alive";
    public const string Metrics = "/metrics";

    private static readonly string[] s_all = [Health, Alive, Metrics];

    /// <summary>Whether a request goes to one of them; paths below them are the application's own.</summary>
    public static bool Contains(PathString path)
    {
        var asked = path.Value.AsSpan().TrimEnd('/');
        foreach (var one in s_all)
        {
            if (asked.Equals(one, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
