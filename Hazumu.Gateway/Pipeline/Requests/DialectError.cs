using System.Buffers;
using System.Globalization;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Streams;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>Errors of the gateway's own, as answers and in streams that have begun.</summary>
internal static class DialectError
{
    private const string ShouldRetry = "x-should-retry";

    /// <summary>Writes an error, unless an answer has begun.</summary>
    /// <param name="context">The request.</param>
    /// <param name="dialect">The client's dialect.</param>
    /// <param name="status">400 to 599.</param>
    /// <param name="message">One sentence: what is wrong and what to do.</param>
    /// <param name="retryAfter">When to try again; sent as <c>Retry-After</c>.</param>
    /// <param name="challenge">What <c>WWW-Authenticate</c> says, with the status 401.</param>
    public static async ValueTask WriteAsync(HttpContext context, Dialect dialect, int status, string message, TimeSpan? retryAfter = null, string challenge = "Bearer")
    {
        var response = context.Response;
        if (response.HasStarted || context.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        response.Clear();
        context.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = null;
        response.StatusCode = status;
        response.ContentType = ErrorBody.MediaTypeOf(dialect);
        if (retryAfter is { } wait)
        {
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        }

        if (status == StatusCodes.Status401Unauthorized)
        {
            response.Headers.WWWAuthenticate = challenge;
        }

        if (status is StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden)
        {
            // Read by OpenAI's and Anthropic's clients: Claude Code retries a 401 for three minutes without it.
            response.Headers[ShouldRetry] = "false";
        }

        var body = ErrorBody.Write(dialect, status, message, context.TraceIdentifier);
        response.ContentLength = body.WrittenCount;

        // Kestrel takes "head" for a method of its own, whose answer has a body; HttpMethods.IsHead does not.
        if (context.Request.Method != HttpMethods.Head)
        {
            await response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
        }
    }

    /// <summary>Writes an error into a stream that has begun, in place of its last object: a line of NDJSON, or an event <c>error</c>.</summary>
    /// <returns>Bytes written.</returns>
    public static int WriteInStream(
        IBufferWriter<byte> output,
        HttpContext context,
        Dialect dialect,
        string message,
        int status = StatusCodes.Status502BadGateway) =>
        WriteInStream(output, dialect, ErrorBody.Write(dialect, status, message, context.TraceIdentifier).WrittenSpan);

    /// <summary>Writes an error of the engine's into a stream that has begun.</summary>
    /// <returns>Bytes written.</returns>
    public static int WriteInStream(IBufferWriter<byte> output, Dialect dialect, ReadOnlySpan<byte> error)
    {
        // One line: between the parts of a JSON text, the end of a line means as much as a space.
        var body = error.ToArray();
        body.AsSpan().Replace((byte)'\n', (byte)' ');
        body.AsSpan().Replace((byte)'\r', (byte)' ');

        // A blank line ends an event that was cut off behind its data; another one means nothing.
        var before = dialect == Dialect.Native ? ""u8 : "\nevent: error\ndata: "u8;
        var after = dialect == Dialect.Native ? "\n"u8 : "\n\n"u8;
        output.Write(before);
        output.Write(body);
        output.Write(after);
        return before.Length + body.Length + after.Length;
    }
}
