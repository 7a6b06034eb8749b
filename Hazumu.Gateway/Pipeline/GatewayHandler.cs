using System.Diagnostics;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Management;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline;

/// <summary>The door: every request that is not for the gateway's own health or metrics comes in here, and is recorded on its way out.</summary>
internal sealed partial class GatewayHandler(
    AddressLimit addresses,
    BrowserRules browsers,
    Authenticator authenticator,
    IAdmission admission,
    InferenceHandler inference,
    ManagementHandler management,
    MergedReads merged,
    IRequestRecorder recorder,
    ILogger<GatewayHandler> logger)
{
    private static readonly byte[] s_banner = "Ollama is running"u8.ToArray();

    /// <summary>Handles a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        var isPathClean = EncodedSlashes.TryDecode(context);
        var operation = OperationTable.Match(context.Request.Method, context.Request.Path.Value ?? "/");
        var headers = AnswerHeaders.Attach(context, operation.Dialect);
        var request = new GatewayRequest { Operation = operation, Id = headers.RequestId };
        using var scope = RequestId.BeginScope(logger, request.Id);
        recorder.Begin(request);
        try
        {
            var refused = !OperationTable.IsMethod(context.Request.Method) ? GatewayRefusal.BadRequest($"The method '{context.Request.Method}' is not in upper case; methods are case-sensitive.")
                : !isPathClean ? GatewayRefusal.BadRequest("The path has a segment '.' or '..' beside an encoded slash.")
                : await AnswerAsync(context, request, headers);
            if (refused is { } refusal)
            {
                request.Outcome = refusal.Outcome;
                if (refusal.Outcome == Outcome.BadRequest)
                {
                    request.Outcome = await TellBadRequestAsync(context, request.Operation.Dialect, refusal.Status, refusal.Message);
                }
                else
                {
                    await DialectError.WriteAsync(context, request.Operation.Dialect, refusal.Status, refusal.Message, refusal.RetryAfter);
                }
            }
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            request.Outcome = Outcome.ClientDisconnect;
        }
        catch (BadHttpRequestException error)
        {
            request.Outcome = await TellBadRequestAsync(context, request.Operation.Dialect, error.StatusCode, error.Message);
        }
        catch (IOException error)
        {
            // Only the client's side is read and written here.
            request.Outcome = Judgement.IsMalformed(error)
                ? await TellBadRequestAsync(context, request.Operation.Dialect, StatusCodes.Status400BadRequest, error.Message)
                : Outcome.ClientDisconnect;
        }
#pragma warning disable CA1031 // Whatever it is, the client gets an answer in its dialect, and the log the rest.
        catch (Exception error)
#pragma warning restore CA1031
        {
            request.Outcome = Outcome.GatewayError;
            request.Instance = null;
            LogBug(error, request.Operation.Name);
            await DialectError.WriteAsync(context, request.Operation.Dialect, StatusCodes.Status500InternalServerError, "The gateway failed; its log tells more.");
            if (context.Response.HasStarted)
            {
                // The client must not take what it has for the whole answer.
                context.Abort();
            }
        }
        finally
        {
            request.Ended = Stopwatch.GetTimestamp();
            request.StatusCode = request.Outcome == Outcome.ClientDisconnect && !context.Response.HasStarted ? StatusCodes.Status499ClientClosedRequest : context.Response.StatusCode;
            recorder.Record(request, context);
        }
    }

    /// <summary>Lets a request reach an endpoint of the gateway's own: health, metrics, peers.</summary>
    /// <param name="context">The request.</param>
    /// <param name="next">The endpoint.</param>
    public Task HandleOwnAsync(HttpContext context, RequestDelegate next)
    {
        var headers = AnswerHeaders.Attach(context, Dialect.Native);
        return browsers.Check(context, headers) is { } refusal
            ? DialectError.WriteAsync(context, Dialect.Native, refusal.Status, refusal.Message).AsTask()
            : next(context);
    }

    // Kestrel takes a body that ends with its connection for a malformed one, and lets the connection go before it says so.
    private static async ValueTask<Outcome> TellBadRequestAsync(HttpContext context, Dialect dialect, int status, string message)
    {
        try
        {
            await DialectError.WriteAsync(context, dialect, status, message);
            return (await context.Response.BodyWriter.FlushAsync()).IsCompleted ? Outcome.ClientDisconnect : Outcome.BadRequest;
        }
        catch (Exception error) when (error is OperationCanceledException or IOException)
        {
            return Outcome.ClientDisconnect;
        }
    }

    private async ValueTask<GatewayRefusal?> AnswerAsync(HttpContext context, GatewayRequest request, AnswerHeaders headers)
    {
        var operation = request.Operation;
        if (HttpMethods.IsConnect(context.Request.Method))
        {
            // SocketsHttpHandler would take it for a tunnel of its own, and the instance for broken when that fails.
            return GatewayRefusal.BadRequest("CONNECT asks for a tunnel, and this is no proxy for that.");
        }

        // First, so that a page may read the answer that its address has reached its limit.
        var stranger = browsers.Check(context, headers);
        if (addresses.Take(context.Connection.RemoteIpAddress) is { } wait)
        {
            return new GatewayRefusal(Outcome.RateLimited, StatusCodes.Status429TooManyRequests, "This address has reached its limit of requests per minute; try again later.", wait);
        }

        if (stranger is not null)
        {
            return stranger;
        }

        switch (operation.Handling)
        {
            case Handling.Banner:
                return await WriteBannerAsync(context);
            case Handling.Options:
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                return null;
        }

        var authentication = authenticator.Authenticate(context.Request);
        request.Caller = authentication.Caller;
        if (authentication.Refusal != Refusal.None && operation.Scope != Scope.None)
        {
            request.Refusal = authentication.Refusal;
            return Unauthorized(context, authentication.ToSentence(IsOllama(context)));
        }

        if (operation.Handling == Handling.Unknown
            && OperationTable.FindIntended(context.Request.Method, context.Request.Path.Value!) is var intended
            && (intended is not null || !request.Caller.May(operation.Scope)))
        {
            return GatewayRefusal.NotFound(context.Request.Method, context.Request.Path.Value!, intended);
        }

        if (!request.Caller.May(operation.Scope))
        {
            return GatewayRefusal.Forbidden($"The key '{request.Caller.Name}' lacks the scope '{string.Join(", ", ScopeNames.Of(operation.Scope))}' that this needs.");
        }

        authentication.Headers.RemoveFrom(context.Request.Headers);
        using var watch = RevocationWatch.Begin(context, request);
        try
        {
            var refusal = await DispatchAsync(context, request);
            return watch is { HasEnded: true } && request.Outcome == Outcome.ClientDisconnect ? RefuseRevoked(context, request) : refusal;
        }
        catch (OperationCanceledException) when (watch is { HasEnded: true })
        {
            return RefuseRevoked(context, request);
        }
    }

    private static GatewayRefusal? RefuseRevoked(HttpContext context, GatewayRequest request)
    {
        request.Refusal = Refusal.Unknown;
        if (!context.Response.HasStarted)
        {
            var refusal = Unauthorized(context, $"The key '{request.Caller.Name}' was revoked or has expired.");

            // For the log, if the connection is gone already: then no answer is written.
            context.Response.StatusCode = refusal.Status;
            return refusal;
        }

        // The client must not take what it has for the whole answer.
        context.Abort();
        request.Outcome = Outcome.Unauthorized;
        return null;
    }

    // Ollama's client shows no message of a 401: it reports "You need to be signed in to Ollama", and exits with 0.
    private static GatewayRefusal Unauthorized(HttpContext context, string message) =>
        new(Outcome.Unauthorized, IsOllama(context) ? StatusCodes.Status403Forbidden : StatusCodes.Status401Unauthorized, message);

    private static bool IsOllama(HttpContext context) => context.Request.Headers.UserAgent.ToString().StartsWith("ollama/", StringComparison.Ordinal);

    private async ValueTask<GatewayRefusal?> DispatchAsync(HttpContext context, GatewayRequest request)
    {
        switch (request.Operation.Handling)
        {
            case Handling.Infer:
            case Handling.Unknown when request.Operation.Model != ModelPlace.None:
                var counted = await admission.CountRequestAsync(request.Caller, context.RequestAborted);
                if (counted.Reached != ReachedLimit.None)
                {
                    return new GatewayRefusal(Outcome.RateLimited, StatusCodes.Status429TooManyRequests, $"The key '{request.Caller.Name}' has reached its limit ({Describe(counted.Reached)}); try again in {GatewayRefusal.Seconds(counted.RetryAfter)}.", counted.RetryAfter);
                }

                try
                {
                    return await inference.HandleAsync(context, request);
                }
                finally
                {
                    counted.Count?.Complete(request.Facts.InputTokens + request.CountedOutputTokens);
                }

            case Handling.Merge:
                return await merged.HandleAsync(context, request);

            default:
                return await management.HandleAsync(context, request);
        }
    }

    // As Ollama's, to the letter: clients and probes look for these words.
    private static async ValueTask<GatewayRefusal?> WriteBannerAsync(HttpContext context)
    {
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.ContentLength = s_banner.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(s_banner, context.RequestAborted);
        }

        return null;
    }

    private static string Describe(ReachedLimit limit) => limit switch
    {
        ReachedLimit.RequestsPerMinute => "requests per minute",
        ReachedLimit.TokensPerMinute => "tokens per minute",
        _ => "requests at the same time",
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "The operation '{Operation}' failed in the gateway itself.")]
    private partial void LogBug(Exception error, string operation);
}
