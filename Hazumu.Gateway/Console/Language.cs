namespace Hazumu.Gateway.Console;

/// <summary>The language of the console: as chosen there, else as the browser prefers.</summary>
internal static class Language
{
    /// <summary>English.</summary>
    public const string English = "en";

    /// <summary>Japanese.</summary>
    public const string Japanese = "ja";

    private const string CookieName = "hazumu-console-language";

    /// <summary>The language of a request.</summary>
    public static string Of(HttpContext context) => context.Request.Cookies[CookieName] switch
    {
        Japanese => Japanese,
        English => English,
        _ => Preferred(context.Request),
    };

    /// <summary>Keeps the choice of a browser.</summary>
    public static void Set(HttpContext context, string? language) => context.Response.Cookies.Append(
        CookieName,
        language == Japanese ? Japanese : English,
        new() { HttpOnly = true, IsEssential = true, MaxAge = TimeSpan.FromDays(365), Path = ConsoleHost.Path, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps });

    private static string Preferred(HttpRequest request) => request.GetTypedHeaders().AcceptLanguage
        .OrderByDescending(language => language.Quality ?? 1)
        .Select(language => language.Value.ToString().Split('-')[0].ToLowerInvariant())
        .FirstOrDefault(language => language is English or Japanese) ?? English;
}
