using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Answers the operations that the gateway serves by itself and without a key: <c>/</c> and <c>OPTIONS</c>.</summary>
internal static class OwnAnswer
{
    // As Ollama's, to the letter: clients and probes look for these words.
    private static readonly byte[] s_banner = "Ollama is running"u8.ToArray();

    /// <summary>Whether the gateway serves an operation by itself.</summary>
    public static bool Serves(Operation operation) => operation.Handling is Handling.Banner or Handling.Options;

    /// <summary>Writes the answer.</summary>
    public static async ValueTask<Completion> WriteAsync(HttpContext context, Operation operation)
    {
        if (operation.Handling == Handling.Options)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Completion.Success;
        }

        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.ContentLength = s_banner.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(s_banner, context.RequestAborted);
        }

        return Completion.Success;
    }
}
