using System.Diagnostics;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Operations;
using Hazumu.Gateway.Requests;

namespace Hazumu.Gateway.Forwarding;

/// <summary>Reads which model a request is about, and whether its caller may name it.</summary>
internal sealed class ModelGate(GatewaySettings settings)
{
    private static readonly string[] s_modelNames = ["model", "name", "from", "source", "destination"];

    /// <summary>Reads the beginning of the body, and finds the model in it.</summary>
    /// <returns>The body, to be disposed; or why the request is refused.</returns>
    /// <exception cref="BadHttpRequestException">The body is malformed or too slow.</exception>
    public async ValueTask<(RequestBody? Body, RequestHeadResult Head, GatewayRefusal? Refusal)> ReadAsync(HttpContext context, GatewayRequest request)
    {
        var http = context.Request;
        if (http.Headers.ContentEncoding.Count > 0 && !string.Equals(http.Headers.ContentEncoding.ToString(), "identity", StringComparison.OrdinalIgnoreCase))
        {
            return (null, default, new(Outcome.BadRequest, StatusCodes.Status415UnsupportedMediaType, "A compressed body cannot be routed; send it without Content-Encoding."));
        }

        var limit = settings.Current.Body.ReplayLimit;
        var began = Stopwatch.GetTimestamp();
        var body = await RequestBody.ReadAsync(http.Body, http.ContentLength, limit, context.RequestAborted);
        request.BodyWait = Stopwatch.GetTimestamp() - began;
        request.RequestBytes = body.BytesRead;
        try
        {
            var head = request.Operation.Model == ModelPlace.Form
                ? await RequestForm.FindModelAsync(body.Head, body.IsWhole, http.ContentType, http.QueryString.Value, context.RequestAborted)
                : RequestHead.Parse(body.Head.Span, body.IsWhole, request.Operation.Dialect, request.Operation.Model);
            if (Check(request, head, body, limit) is { } refusal)
            {
                body.Dispose();
                return (null, head, refusal);
            }

            http.Body = Stream.Null;
            return (body, head, null);
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    /// <summary>Whether the caller may name this model.</summary>
    public GatewayRefusal? Check(GatewayRequest request, string model)
    {
        request.Model = model;
        if (!settings.Current.AllowCloudModels && CloudModels.IsCloud(model))
        {
            return GatewayRefusal.Forbidden($"'{model}' runs in Ollama's cloud, and this gateway keeps prompts on its own machines.");
        }

        return request.Caller.MayUse(model) ? null : GatewayRefusal.Forbidden($"The key '{request.Caller.Name}' may not use the model '{model}'.");
    }

    // What a model is made of, and what a copy is called, are models as well.
    private static GatewayRefusal? CheckOthers(GatewayRequest request, RequestBody body)
    {
        if (request.Caller.Key is not { Models.IsAll: false })
        {
            return null;
        }

        using var document = JsonDocument.Parse(body.Head);
        foreach (var property in document.RootElement.EnumerateObject())
        {
            if (Array.Exists(s_modelNames, name => name.Equals(property.Name, StringComparison.OrdinalIgnoreCase))
                && (property.Value.ValueKind != JsonValueKind.String || !request.Caller.MayUse(property.Value.GetString())))
            {
                return GatewayRefusal.Forbidden($"The key '{request.Caller.Name}' may not use the model in '{property.Name}'.");
            }
        }

        return null;
    }

    private GatewayRefusal? Check(GatewayRequest request, RequestHeadResult head, RequestBody body, int limit)
    {
        if (head.Problem is { } problem)
        {
            return GatewayRefusal.BadRequest(problem);
        }

        if (head.Model is not { } model)
        {
            return body.IsWhole ? GatewayRefusal.BadRequest("model is required") : GatewayRefusal.TooLarge(limit);
        }

        if (!body.IsWhole && request.Caller.Key is { Models.IsAll: false })
        {
            // What is not read could name another model once more, and Ollama takes the last.
            return GatewayRefusal.TooLarge(limit);
        }

        if (request.Operation.Scope == Scope.Admin && CheckOthers(request, body) is { } forbidden)
        {
            return forbidden;
        }

        request.WantsStream = head.Stream ?? (request.Operation is { Dialect: Dialect.Native, GenAiName: not "embeddings" });
        request.Affinity = head.Affinity;
        return Check(request, model);
    }
}
