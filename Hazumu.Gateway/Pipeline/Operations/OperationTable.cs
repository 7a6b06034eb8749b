using System.Collections.Frozen;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Streams;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Gateway.Pipeline.Operations;

/// <summary>
/// Every route of the three dialects, in one place. Source: Ollama's <c>server/routes.go</c> (0.32.15, and 0.35 for <c>/v1/systemone</c>).
/// </summary>
/// <remarks>
/// Matching is exact and case-sensitive, like Ollama's. Unknown routes are passed on for newer engines, unless they are
/// a misspelled known route. With keys on, an unknown route needs <see cref="Scope.Read"/> to GET or HEAD and
/// <see cref="Scope.Admin"/> for any other method except OPTIONS, so that no spelling of a path needs fewer rights than
/// the route that it means; without that scope, it is not found.
/// </remarks>
internal static class OperationTable
{
    private static readonly Operation[] s_unknownReads =
        [.. Enum.GetValues<Dialect>().Select(dialect => new Operation("other", dialect, Scope.Read, Handling.Unknown, "other"))];

    private static readonly Operation[] s_unknownWrites =
        [.. Enum.GetValues<Dialect>().Select(dialect => new Operation("other", dialect, Scope.Admin, Handling.Unknown, "other", ModelPlace.Any))];

    // A browser's question before the request itself carries no key.
    private static readonly Operation s_options = new("preflight", Dialect.Native, Scope.None, Handling.Options, "preflight");

    /// <summary>The path that ends with the name of a model.</summary>
    public const string ModelPath = "/v1/models/";

    /// <summary>Method and path of every known route; a path that ends in <c>/*</c> takes any rest.</summary>
    public static IReadOnlyList<(string Method, string Path, Operation Operation)> Routes { get; } =
    [
        ("GET", "/", new("root", Dialect.Native, Scope.None, Handling.Banner, "root")),
        ("HEAD", "/", new("root", Dialect.Native, Scope.None, Handling.Banner, "root")),

        ("POST", "/api/chat", new("chat", Dialect.Native, Scope.Infer, Handling.Infer, "chat", ModelPlace.Body)),
        ("POST", "/api/generate", new("generate", Dialect.Native, Scope.Infer, Handling.Infer, "text_completion", ModelPlace.Body)),
        ("POST", "/api/embed", new("embed", Dialect.Native, Scope.Infer, Handling.Infer, "embeddings", ModelPlace.Body)),
        ("POST", "/api/embeddings", new("embed", Dialect.Native, Scope.Infer, Handling.Infer, "embeddings", ModelPlace.Body)),

        ("GET", "/api/version", new("version", Dialect.Native, Scope.Read, Handling.Merge, "version")),
        ("HEAD", "/api/version", new("version", Dialect.Native, Scope.Read, Handling.Merge, "version")),
        ("GET", "/api/tags", new("list", Dialect.Native, Scope.Read, Handling.Merge, "list")),
        ("HEAD", "/api/tags", new("list", Dialect.Native, Scope.Read, Handling.Merge, "list")),
        ("GET", "/api/ps", new("ps", Dialect.Native, Scope.Read, Handling.Merge, "ps")),
        ("GET", "/api/status", new("status", Dialect.Native, Scope.Read, Handling.Forward, "status")),
        ("POST", "/api/show", new("show", Dialect.Native, Scope.Read, Handling.Forward, "show", ModelPlace.Body)),

        ("POST", "/api/pull", new("pull", Dialect.Native, Scope.Admin, Handling.Forward, "pull", ModelPlace.Body)),
        ("POST", "/api/push", new("push", Dialect.Native, Scope.Admin, Handling.Forward, "push", ModelPlace.Body)),
        ("POST", "/api/create", new("create", Dialect.Native, Scope.Admin, Handling.Forward, "create", ModelPlace.Body)),
        ("POST", "/api/copy", new("copy", Dialect.Native, Scope.Admin, Handling.Forward, "copy", ModelPlace.Source)),
        ("DELETE", "/api/delete", new("delete", Dialect.Native, Scope.Admin, Handling.Forward, "delete", ModelPlace.Body)),
        ("POST", "/api/blobs/*", new("blob", Dialect.Native, Scope.Admin, Handling.Forward, "blob")),
        ("HEAD", "/api/blobs/*", new("blob", Dialect.Native, Scope.Admin, Handling.Forward, "blob")),
        ("POST", "/api/me", new("me", Dialect.Native, Scope.Admin, Handling.Forward, "me")),
        ("POST", "/api/signout", new("signout", Dialect.Native, Scope.Admin, Handling.Forward, "signout")),
        ("DELETE", "/api/user/keys/*", new("signout", Dialect.Native, Scope.Admin, Handling.Forward, "signout")),

        ("POST", "/v1/chat/completions", new("chat", Dialect.OpenAI, Scope.Infer, Handling.Infer, "chat", ModelPlace.Body)),
        ("POST", "/v1/completions", new("generate", Dialect.OpenAI, Scope.Infer, Handling.Infer, "text_completion", ModelPlace.Body)),
        ("POST", "/v1/embeddings", new("embed", Dialect.OpenAI, Scope.Infer, Handling.Infer, "embeddings", ModelPlace.Body)),
        ("POST", "/v1/responses", new("responses", Dialect.OpenAI, Scope.Infer, Handling.Infer, "chat", ModelPlace.Body)),
        ("POST", "/v1/images/generations", new("image", Dialect.OpenAI, Scope.Infer, Handling.Infer, "generate_content", ModelPlace.Body)),
        ("POST", "/v1/audio/transcriptions", new("transcribe", Dialect.OpenAI, Scope.Infer, Handling.Infer, "transcribe", ModelPlace.Form)),
        ("POST", "/v1/systemone", new("systemone", Dialect.OpenAI, Scope.Infer, Handling.Infer, "systemone", ModelPlace.Body)),
        ("GET", "/v1/models", new("list", Dialect.OpenAI, Scope.Read, Handling.Merge, "list")),
        ("GET", ModelPath + "*", new("show", Dialect.OpenAI, Scope.Read, Handling.Forward, "show", ModelPlace.Path)),

        ("GET", "/hazumu/usage", new("usage", Dialect.Native, Scope.Admin, Handling.Usage, "usage")),

        ("POST", "/v1/messages", new("chat", Dialect.Anthropic, Scope.Infer, Handling.Infer, "chat", ModelPlace.Body)),
        ("POST", "/v1/messages/count_tokens", new("count", Dialect.Anthropic, Scope.Infer, Handling.Forward, "count", ModelPlace.Body)),
    ];

    private static readonly FrozenDictionary<(string Method, string Path), Operation> s_exact = Routes
        .Where(route => !route.Path.EndsWith("/*", StringComparison.Ordinal))
        .ToFrozenDictionary(route => (route.Method, route.Path), route => route.Operation);

    private static readonly (string Method, string Prefix, Operation Operation)[] s_prefixes = [.. Routes
        .Where(route => route.Path.EndsWith("/*", StringComparison.Ordinal))
        .Select(route => (route.Method, route.Path[..^1], route.Operation))];

    /// <summary>Whether a method reaches an engine under the name that is matched here.</summary>
    /// <remarks>
    /// Methods are case-sensitive (RFC 9110, section 9.1), but SocketsHttpHandler and YARP send <c>post</c> as <c>POST</c>: it would be
    /// judged as an unknown route and run as a known one.
    /// </remarks>
    public static bool IsMethod(string method) => !method.AsSpan().ContainsAnyInRange('a', 'z');

    /// <summary>The operation that a method and a decoded path mean.</summary>
    public static Operation Match(string method, string path)
    {
        if (s_exact.TryGetValue((method, path), out var operation))
        {
            return operation;
        }

        foreach (var (prefixMethod, prefix, prefixOperation) in s_prefixes)
        {
            if (path.Length > prefix.Length && method == prefixMethod && path.StartsWith(prefix, StringComparison.Ordinal))
            {
                return prefixOperation;
            }
        }

        if (HttpMethods.IsOptions(method))
        {
            return s_options;
        }

        var isRead = HttpMethods.IsGet(method) || HttpMethods.IsHead(method);
        var dialect = FindIntendedRoute(method, path).Operation?.Dialect ?? Dialects.Of(path);
        return isRead ? s_unknownReads[(int)dialect] : s_unknownWrites[(int)dialect];
    }

    /// <summary>
    /// The path that an unknown one was meant to be: with a slash too many, without <c>/v1</c> or <c>/api</c>, with that twice or behind
    /// something else, or in other letters; <see langword="null"/> where it is like no route.
    /// </summary>
    public static string? FindIntended(string method, string path) => FindIntendedRoute(method, path).Path;

    private static (string? Path, Operation? Operation) FindIntendedRoute(string method, string path)
    {
        var segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var clean = "/" + string.Join('/', segments);
        IEnumerable<string> candidates =
        [
            clean,
            "/v1" + clean,
            "/api" + clean,
            .. Enumerable.Range(1, Math.Max(0, segments.Length - 1)).Where(start => IsRoot(segments[start])).Select(start => "/" + string.Join('/', segments[start..])),
        ];
        foreach (var candidate in candidates)
        {
            foreach (var (routeMethod, route, operation) in Routes)
            {
                if (routeMethod != method)
                {
                    continue;
                }

                if (candidate.Equals(route, StringComparison.OrdinalIgnoreCase))
                {
                    return (route, operation);
                }

                if (route.EndsWith("/*", StringComparison.Ordinal) && candidate.Length >= route.Length && candidate.StartsWith(route[..^1], StringComparison.OrdinalIgnoreCase))
                {
                    return (route[..^1] + candidate[(route.Length - 1)..], operation);
                }
            }
        }

        return default;
    }

    private static bool IsRoot(string segment) =>
        segment.Equals("v1", StringComparison.OrdinalIgnoreCase) || segment.Equals("api", StringComparison.OrdinalIgnoreCase);
}
