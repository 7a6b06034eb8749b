using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Console;

/// <summary>
/// What every request of the console passes: Host and Origin, the headers of its answer, and the session. A session's connection is closed
/// when its key is revoked, is rotated or expires.
/// </summary>
internal sealed class Gate(Sessions sessions, BrowserRules browsers, TimeProvider time)
{
    /// <summary>The first page.</summary>
    public const string HomePath = "/";

    /// <summary>The page to sign in.</summary>
    public const string SignInPath = "/sign-in";

    /// <summary>Where the form of that page goes.</summary>
    public const string SessionPath = "/session";

    /// <summary>Where the language is chosen.</summary>
    public const string LanguagePath = "/language";

    private static readonly TimeSpan s_checkInterval = TimeSpan.FromSeconds(1);

    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'";

    /// <summary>Lets a request through, if it may.</summary>
    public Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        WriteHeaders(context.Response.Headers);

        // Pages of other origins may use the API if the settings allow them; the console knows its own only.
        return IsForeign(context.Request)
            ? DialectError.WriteAsync(context, Dialect.Native, StatusCodes.Status403Forbidden, "Only the console's own pages may send this.").AsTask()
            : browsers.ProtectAsync(context, through => CheckSessionAsync(through, next));
    }

    private async Task CheckSessionAsync(HttpContext context, RequestDelegate next)
    {
        if (IsAsset(context.Request.Path))
        {
            // The same for everybody, and kept by caches in between: no cookie may be in it.
            await next(context);
            return;
        }

        var caller = sessions.Find(context, out var ends);
        if (caller is null)
        {
            if (IsOpen(context.Request.Path))
            {
                await next(context);
            }
            else if (HttpMethods.IsGet(context.Request.Method) && !context.Request.Path.StartsWithSegments("/_blazor"))
            {
                context.Response.Redirect(ConsoleHost.Path + SignInPath);
            }
            else
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            }

            return;
        }

        context.User = Sessions.Describe(caller, context.Connection.RemoteIpAddress);
        if (caller.Key is null)
        {
            await next(context);
            return;
        }

        if (HttpMethods.IsGet(context.Request.Method) && !context.WebSockets.IsWebSocketRequest && !context.Request.Path.StartsWithSegments("/_blazor"))
        {
            // Another page, another hour.
            sessions.Begin(context, caller);
        }

        await HandleAsync(context, next, caller, ends);
    }

    // An interactive page's connection outlives every check at its beginning.
    private async Task HandleAsync(HttpContext context, RequestDelegate next, Caller caller, DateTimeOffset ends)
    {
        var user = context.User;
        await using var timer = time.CreateTimer(_ => AbortIfEnded(), null, s_checkInterval, s_checkInterval);
        await using var revocation = caller.Revocation!.Token.UnsafeRegister(static state => ((HttpContext)state!).Abort(), context);
        await next(context);

        void AbortIfEnded()
        {
            if (ends <= time.GetUtcNow() || sessions.Find(user) is null)
            {
                context.Abort();
            }
        }
    }

    private static bool IsAsset(PathString path) => path.StartsWithSegments("/assets") || path.StartsWithSegments("/_framework");

    private static bool IsOpen(PathString path) => path == SignInPath || path == SessionPath || path == LanguagePath;

    // Links from elsewhere may open a page; nothing else may come from elsewhere.
    private static bool IsForeign(HttpRequest request)
    {
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        var isNavigation = HttpMethods.IsGet(request.Method) && request.Headers["Sec-Fetch-Mode"] == "navigate";
        return (site.Length > 0 && site is not ("same-origin" or "none") && !isNavigation)
            || (request.Headers.Origin.ToString() is { Length: > 0 } origin && !Origins.IsSame(origin, request.Host.Value ?? ""));
    }

    private static void WriteHeaders(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";

        // With no-referrer, a form's Origin would be null.
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-cache, no-store";
    }
}
