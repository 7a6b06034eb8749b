using System.Net;
using System.Net.Sockets;
using System.Text;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Tests.Keys;

public class RouteScopeTests
{
    /// <summary>Written down by hand: a route that is added is thought about, and added here as well.</summary>
    private static readonly Dictionary<string, Scope> s_scopes = new(StringComparer.Ordinal)
    {
        ["GET /"] = Scope.None,
        ["HEAD /"] = Scope.None,

        ["POST /api/chat"] = Scope.Infer,
        ["POST /api/generate"] = Scope.Infer,
        ["POST /api/embed"] = Scope.Infer,
        ["POST /api/embeddings"] = Scope.Infer,
        ["POST /v1/chat/completions"] = Scope.Infer,
        ["POST /v1/completions"] = Scope.Infer,
        ["POST /v1/embeddings"] = Scope.Infer,
        ["POST /v1/responses"] = Scope.Infer,
        ["POST /v1/images/generations"] = Scope.Infer,
        ["POST /v1/audio/transcriptions"] = Scope.Infer,
        ["POST /v1/messages"] = Scope.Infer,
        ["POST /v1/systemone"] = Scope.Infer,
        ["POST /v1/messages/count_tokens"] = Scope.Infer,

        ["GET /api/version"] = Scope.Read,
        ["HEAD /api/version"] = Scope.Read,
        ["GET /api/tags"] = Scope.Read,
        ["HEAD /api/tags"] = Scope.Read,
        ["GET /api/ps"] = Scope.Read,
        ["GET /api/status"] = Scope.Read,
        ["POST /api/show"] = Scope.Read,
        ["GET /v1/models"] = Scope.Read,
        ["GET /v1/models/*"] = Scope.Read,

        ["POST /api/pull"] = Scope.Admin,
        ["POST /api/push"] = Scope.Admin,
        ["POST /api/create"] = Scope.Admin,
        ["POST /api/copy"] = Scope.Admin,
        ["DELETE /api/delete"] = Scope.Admin,
        ["POST /api/blobs/*"] = Scope.Admin,
        ["HEAD /api/blobs/*"] = Scope.Admin,
        ["POST /api/me"] = Scope.Admin,
        ["POST /api/signout"] = Scope.Admin,
        ["DELETE /api/user/keys/*"] = Scope.Admin,
        ["GET /hazumu/usage"] = Scope.Admin,
    };

    [Fact]
    public void Every_route_has_the_scope_that_was_thought_about()
    {
        var routes = OperationTable.Routes.ToDictionary(route => $"{route.Method} {route.Path}", route => route.Operation.Scope, StringComparer.Ordinal);

        Assert.Equal(s_scopes.OrderBy(entry => entry.Key, StringComparer.Ordinal), routes.OrderBy(entry => entry.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Every_route_is_matched_as_itself()
    {
        foreach (var (method, path, operation) in OperationTable.Routes)
        {
            Assert.Same(operation, OperationTable.Match(method, Example(path)));
        }
    }

    [Theory]
    [InlineData("GET", Scope.Read)]
    [InlineData("HEAD", Scope.Read)]
    [InlineData("OPTIONS", Scope.None)]
    [InlineData("POST", Scope.Admin)]
    [InlineData("PUT", Scope.Admin)]
    [InlineData("PATCH", Scope.Admin)]
    [InlineData("DELETE", Scope.Admin)]
    [InlineData("FROB", Scope.Admin)]
    public void An_unknown_route_needs_read_or_admin(string method, object scope)
    {
        foreach (var path in new[] { "/unknown", "/api/experimental/web_search", "/v1/unknown", "/v1", "", "*" })
        {
            Assert.Equal((Scope)scope, OperationTable.Match(method, path).Scope);
        }
    }

    [Fact]
    public async Task No_spelling_of_a_path_lowers_its_scope_and_the_matched_path_is_sent()
    {
        await using var server = await PathServer.StartAsync();
        var checks = 0;
        foreach (var (method, route, operation) in OperationTable.Routes)
        {
            foreach (var target in Spellings(Example(route)))
            {
                if (await server.PathOf(method, target) is not { } path)
                {
                    continue;
                }

                checks++;
                var isSame = path == Example(route);
                var needed = OperationTable.Match(method, path).Scope;
                var unknown = method is "GET" or "HEAD" ? Scope.Read : Scope.Admin;
                Assert.True(
                    isSame ? needed == operation.Scope : needed >= unknown,
                    $"{method} {target} is read as '{path}' and needs {needed}, where {(isSame ? operation.Scope : unknown)} is due.");

                // What the engine decodes is what the table was asked for: nothing that was encoded twice becomes a path on the way.
                var sent = RequestUtilities.MakeDestinationAddress("http://engine", new PathString(path), QueryString.Empty);
                Assert.Equal(path, Uri.UnescapeDataString(sent.AbsolutePath));
            }
        }

        Assert.True(checks > 15 * OperationTable.Routes.Count);
    }

    [Fact]
    public void Random_spellings_need_no_less_either()
    {
        var random = new Random(20_260_601);
        var alphabet = "/.%2eEfF5cC\\ aApPiI?;:*~\0é";
        for (var i = 0; i < 200_000; i++)
        {
            var (method, route, operation) = OperationTable.Routes[random.Next(OperationTable.Routes.Count)];
            var path = new StringBuilder(Example(route));
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                var at = random.Next(1, path.Length + 1);
                if (random.Next(2) == 0)
                {
                    path.Insert(at, alphabet[random.Next(alphabet.Length)]);
                }
                else if (at < path.Length)
                {
                    path[at] = alphabet[random.Next(alphabet.Length)];
                }
            }

            var text = path.ToString();
            var needed = OperationTable.Match(method, text).Scope;
            var isKnown = OperationTable.Routes.Any(known => known.Method == method && known.Path == text);
            Assert.True(isKnown || needed >= (method is "GET" or "HEAD" ? Scope.Read : Scope.Admin), $"{method} {text} needs {needed}.");
        }
    }

    private static string Example(string route) => route.EndsWith("/*", StringComparison.Ordinal) ? route[..^1] + "x" : route;

    private static IEnumerable<string> Spellings(string path)
    {
        yield return path;
        yield return path + "/";
        yield return path + "//";
        yield return "/" + path;
        yield return "/." + path;
        yield return "/x/.." + path;
        yield return "/x/%2e%2e" + path;
        yield return "/x%2F.." + path;
        yield return "/%2E" + path;
        yield return path + "/.";
        yield return path + "/x/..";
        yield return path + "/%2e%2e";
        yield return path + "/..%2f..%2fapi%2fpull";
        yield return path + "%2F";
        yield return path + "%5c";
        yield return path + "%00";
        yield return path + "%20";
        yield return path + ".";
        yield return path + ";a=b";
        yield return path + "?x=/api/version";
        yield return path + "%3Fx";
        yield return path + "%23x";
        yield return "http://other.example" + path;
        yield return path.ToUpperInvariant();
        yield return path.Replace("/", "//", StringComparison.Ordinal);
        yield return path.Replace("/", "%2F", StringComparison.Ordinal);
        yield return "/" + path[1..].Replace("/", "%2f", StringComparison.Ordinal);
        yield return "/" + path[1..].Replace("/", "%5C", StringComparison.Ordinal);
        yield return "/" + path[1..].Replace("/", "%252F", StringComparison.Ordinal);
        yield return "/" + path[1..].Replace("/", "/./", StringComparison.Ordinal);
        yield return string.Concat(path.Select(character => character == '/' ? "/" : $"%{(int)character:x2}"));
        yield return string.Concat(path.Select(character => character == '/' ? "/" : $"%25{(int)character:X2}"));
        for (var i = 1; i < path.Length; i++)
        {
            if (path[i] != '/')
            {
                yield return $"{path[..i]}%{(int)path[i]:X2}{path[(i + 1)..]}";
                yield return path[..i] + char.ToUpperInvariant(path[i]) + path[(i + 1)..];
            }
        }
    }

    /// <summary>Kestrel, which answers with the path it has read, and a client that sends what it is given.</summary>
    private sealed class PathServer(WebApplication application, int port) : IAsyncDisposable
    {
        private const string Header = "x-path: ";

        public static async Task<PathServer> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseSetting("urls", "http://127.0.0.1:0");
            var application = builder.Build();
            application.Run(context =>
            {
                context.Response.Headers["x-path"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(context.Request.Path.Value ?? ""));
                context.Response.ContentLength = 0;
                return Task.CompletedTask;
            });
            await application.StartAsync();
            var address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
            return new(application, new Uri(address).Port);
        }

        /// <summary>The path as Kestrel reads it; null where it refuses the request.</summary>
        public async Task<string?> PathOf(string method, string target)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
            using var reader = new StreamReader(stream, Encoding.ASCII);
            var answer = await reader.ReadToEndAsync();
            var line = answer.Split("\r\n").FirstOrDefault(line => line.StartsWith(Header, StringComparison.OrdinalIgnoreCase));
            Assert.True(line is not null || answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal), $"{method} {target} is answered: {answer}");
            return line is null ? null : Encoding.UTF8.GetString(Convert.FromBase64String(line[Header.Length..]));
        }

        public ValueTask DisposeAsync() => application.DisposeAsync();
    }
}
