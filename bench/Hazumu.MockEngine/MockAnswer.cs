using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Mocks;

/// <summary>The answer to one request, and the record of what went into it.</summary>
internal sealed class MockAnswer(HttpContext context, MockRequest request)
{
    public bool HasBegun => context.Response.HasStarted;

    public void Begin(int status, string? contentType)
    {
        request.Status = status;
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
    }

    public void Header(string name, string value) => context.Response.Headers[name] = value;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        request.Sending(bytes);
        context.Response.BodyWriter.Write(bytes);
    }

    public void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Sends what is written. A client that is gone is no error here: the request's token tells.</summary>
    public async ValueTask FlushAsync() => await context.Response.BodyWriter.FlushAsync(CancellationToken.None).ConfigureAwait(false);

    /// <summary>Sends a whole document with its length.</summary>
    public Task DocumentAsync(int status, ReadOnlyMemory<byte> body, string contentType = "application/json; charset=utf-8")
    {
        // Ollama answers without a type where there is no body: copy, delete and an uploaded blob.
        Begin(status, body.IsEmpty ? null : contentType);
        context.Response.ContentLength = body.Length;
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return Task.CompletedTask;
        }

        Write(body.Span);
        return Task.CompletedTask;
    }

    public Task DocumentAsync(int status, string body, string contentType = "application/json; charset=utf-8") =>
        DocumentAsync(status, Encoding.UTF8.GetBytes(body), contentType);

    public Task ErrorAsync(int status, string message) =>
        DocumentAsync(status, Errors.Document(Errors.KindOf(request.Path), status, message));

    /// <summary>Resets the connection.</summary>
    public void Reset()
    {
        if (context.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket)
        {
            // A close that lingers for no time is a reset; Kestrel's own abort would be an orderly end where all was read.
            socket.LingerState = new(true, 0);
            socket.Close();
        }

        context.Abort();
    }
}
