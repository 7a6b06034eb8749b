using System.Globalization;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Clients;

/// <summary>
/// A port for operators: health, metrics and models. Clients' connections cannot exhaust it, and no path of the
/// clients' port
/// leads to it, however it is spelled.
/// </summary>
internal static class ManagementPort
{
    private static readonly PathString[] s_probes = ["/health", "/alive"];

    /// <summary>Has the server listen on it, beside its other addresses.</summary>
    public static void Listen(WebApplicationBuilder builder, int port)
    {
        if (builder.Configuration.GetSection("Kestrel:Endpoints").GetChildren().Any())
        {
            // With these Kestrel takes no URLs.
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenAnyIP(port));
            return;
        }

        var urls = Urls(builder.Configuration).ToList();
        if (urls.TrueForAll(url => BindingAddress.Parse(url).Port == port))
        {
            throw new StartupProblemException($"'Gateway:Management:Port' is {port}, the only port of the clients; give it another one, or leave it out to have metrics and peers on the clients' port.");
        }

        if (!urls.Exists(url => BindingAddress.Parse(url).Port == port))
        {
            urls.Add(string.Create(CultureInfo.InvariantCulture, $"http://*:{port}"));
        }

        builder.WebHost.UseUrls([.. urls]);
    }

    /// <summary>Whether a request is for what the gateway itself has at its path: health on every port, all else on the management port where there is one.</summary>
    public static bool IsOwn(HttpContext context, int? port) =>
        context.GetEndpoint() is not null && (port is null || context.Connection.LocalPort == port || Array.Exists(s_probes, path => context.Request.Path.StartsWithSegments(path)));

    /// <summary>Answers a request for anything else on the management port.</summary>
    public static Task RefuseAsync(HttpContext context)
    {
        AnswerHeaders.Attach(context, Dialect.Native);
        return DialectError.WriteAsync(
            context, Dialect.Native, StatusCodes.Status404NotFound, "This is the gateway's management port, which has /health, /alive, /metrics and /models; clients use the other one.").AsTask();
    }

    // As the web host reads them (GenericWebHostService in dotnet/aspnetcore).
    private static IEnumerable<string> Urls(ConfigurationManager configuration)
    {
        if (configuration[WebHostDefaults.ServerUrlsKey] is { Length: > 0 } urls)
        {
            return Split(urls);
        }

        var ports = Split(configuration[WebHostDefaults.HttpPortsKey]).Select(http => $"http://*:{http}")
            .Concat(Split(configuration[WebHostDefaults.HttpsPortsKey]).Select(https => $"https://*:{https}")).ToList();
        return ports.Count > 0 ? ports : ["http://localhost:5000"];
    }

    private static string[] Split(string? text) => text?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}
