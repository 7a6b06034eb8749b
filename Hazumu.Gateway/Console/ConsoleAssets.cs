using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Hazumu.Gateway.Console;

/// <summary>The files of the console: styles, scripts, its icon. They are embedded, so that no folder has to be found.</summary>
internal sealed class ConsoleAssets
{
    /// <summary>Where Blazor's script is.</summary>
    public const string ScriptPath = "/_framework/blazor.web.js";

    private static readonly (string Name, string Type)[] s_names =
        [("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml"), ("blazor.web.js", "text/javascript")];

    private readonly FrozenDictionary<string, (string Type, byte[] Content, string Tag)> _files = s_names.ToFrozenDictionary(
        file => file.Name,
        file =>
        {
            var content = Read(file.Name);
            return ($"{file.Type}; charset=utf-8", content, Convert.ToHexStringLower(SHA256.HashData(content))[..16]);
        },
        StringComparer.Ordinal);

    /// <summary>The address of a file, which changes with its content.</summary>
    public string AddressOf(string name) => $"{(name == "blazor.web.js" ? ScriptPath[1..] : $"assets/{name}")}?v={_files[name].Tag}";

    /// <summary>Writes a file.</summary>
    public async Task WriteAsync(HttpContext context, string name)
    {
        if (!_files.TryGetValue(name, out var file))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        var headers = context.Response.Headers;
        headers.CacheControl = context.Request.Query["v"] == file.Tag ? "public, max-age=31536000, immutable" : "no-cache";
        headers.ETag = $"\"{file.Tag}\"";
        headers.Vary = "Accept-Encoding";
        if (context.Request.Headers.IfNoneMatch == headers.ETag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        context.Response.ContentType = file.Type;
        if (context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal))
        {
            headers.ContentEncoding = "gzip";
            await context.Response.Body.WriteAsync(file.Content, context.RequestAborted);
            return;
        }

        await using var unpacked = new GZipStream(new MemoryStream(file.Content, writable: false), CompressionMode.Decompress);
        await unpacked.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    // Kept packed: a browser takes them so, and memory too.
    private static byte[] Read(string name)
    {
        using var resource = typeof(ConsoleAssets).Assembly.GetManifestResourceStream(name)!;
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            resource.CopyTo(gzip);
        }

        return packed.ToArray();
    }
}
