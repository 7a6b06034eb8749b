using System.Diagnostics.CodeAnalysis;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;
using Microsoft.Net.Http.Headers;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Reads a request's body and the model in it, and decides whether its caller may use that model.</summary>
internal sealed class ReadHead(
    GatewaySettings settings, BodyBudget budget, ModelNames names, Fleet fleet, FleetMonitor monitor, IAdmission admission)
{
    // With these a request is judged before the rest of a large body is read.
    private const int Beginning = 64 * 1024;

    /// <summary>Reads the body, and finds the model in it.</summary>
    /// <exception cref="BadHttpRequestException">The body is malformed or too slow.</exception>
    public async ValueTask<HeadResult> RunAsync(HttpContext context, GatewayRequest request)
    {
        var http = context.Request;
        var isZstd = request.Operation is { Dialect: not Dialect.Native, Model: ModelPlace.Body } && ZstdBody.IsUsedBy(http);
        if (!isZstd && http.Headers.ContentEncoding.Count > 0 && !string.Equals(http.Headers.ContentEncoding.ToString(), "identity", StringComparison.OrdinalIgnoreCase))
        {
            return new GatewayRefusal(Outcome.BadRequest, StatusCodes.Status415UnsupportedMediaType, "The request's body is compressed; send it without Content-Encoding.");
        }

        var body = new RequestBody(budget);
        try
        {
            var limit = settings.Current.Body.Limit;
            var refusal = isZstd
                ? await DecodeAsync(context, request, body, Math.Min(limit, ZstdBody.Limit))
                : await ReadAsync(context, request, body, http.Body, http.ContentLength, limit);
            if (refusal is not null)
            {
                body.Dispose();
                return refusal;
            }

            AskForUsage(request, body);
            request.KeepAlive = KeepAlive.For(context, request, settings.Current.KeepAlive);

            // A body that is here whole goes out with its length, however it came in.
            http.Headers.Remove(HeaderNames.TransferEncoding);
            if (body.Length > 0 || http.ContentLength is not null)
            {
                http.ContentLength = body.Length;
            }

            http.Body = Stream.Null;
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    /// <summary>Reads the stored models again if no instance is known to have the model of a request: it may have come beside the gateway.</summary>
    /// <returns>Why the request is refused; <see langword="null"/> if it goes on.</returns>
    public async ValueTask<GatewayRefusal?> ResolveModelAsync(GatewayRequest request, CancellationToken cancellationToken)
    {
        if (request.Operation.Handling == Handling.Unknown && !request.Caller.Has(Scope.Infer))
        {
            return GatewayRefusal.Forbidden($"{request.Caller.Credential} lacks the scope 'infer' that a request which names a model needs.");
        }

        if (request.Chain is { } chain ? chain.FullNames.Any(fleet.Knows) : fleet.Knows(request.FullModel!))
        {
            return null;
        }

        if (request.Chain is { } excluded ? excluded.FullNames.All(fleet.Excludes) : fleet.Excludes(request.FullModel!))
        {
            return GatewayRefusal.NoModel(request.Model!);
        }

        await monitor.RefreshStoredAsync(cancellationToken);
        return Check(request, request.Model!);
    }

    /// <summary>Whether the caller may name this model.</summary>
    public GatewayRefusal? Check(GatewayRequest request, string model)
    {
        // A path may have tens of kilobytes, which would go into logs and answers.
        if (ModelText.ProblemOf(model) is { } problem)
        {
            return GatewayRefusal.BadRequest($"The model's name {problem}.");
        }

        (request.Model, request.FullModel, request.Chain) = (model, ModelName.FullNameOf(model), null);

        // A request that manages models means the model itself.
        if (request.Operation.Scope != Scope.Admin && names.Find(request.FullModel) is { } chain)
        {
            return CheckChain(request, chain);
        }

        return CheckCloud(model)
            ?? (request.Caller.MayUse(model) ? null : GatewayRefusal.Forbidden($"{request.Caller.Credential} may not use the model '{model}'."));
    }

    private GatewayRefusal? CheckChain(GatewayRequest request, NamedChain chain)
    {
        var allowed = chain.AllowedTo(request.Caller).ToList();
        var local = allowed.FindAll(model => CheckCloud(model.Name) is null);
        request.Chain = chain.Only(local);
        return local.Count > 0 ? null
            : allowed.Count > 0 ? CheckCloud(allowed[0].Name)
            : GatewayRefusal.Forbidden($"{request.Caller.Credential} may not use the model '{request.Model}'.");
    }

    private GatewayRefusal? CheckCloud(string model) => !settings.Current.AllowCloudModels && (CloudModels.IsCloud(model) || fleet.IsRemote(ModelName.FullNameOf(model)))
        ? GatewayRefusal.Forbidden($"'{model}' runs in Ollama's cloud, and this gateway keeps prompts on its own machines.")
        : null;

    private async ValueTask<GatewayRefusal?> DecodeAsync(HttpContext context, GatewayRequest request, RequestBody body, int limit)
    {
        if (!budget.TryTakeMemory(ZstdBody.Memory))
        {
            return RefusalOf(ZstdBody.Memory > budget.MemoryLimit ? BodyRead.NeverFits : BodyRead.NoRoom, limit);
        }

        try
        {
            await using var decoded = new ZstdBody(context.Request.Body);
            context.Request.Headers.Remove(HeaderNames.ContentEncoding);
            return await ReadAsync(context, request, body, decoded, length: null, limit);
        }
        finally
        {
            budget.ReturnMemory(ZstdBody.Memory);
        }
    }

    private async ValueTask<GatewayRefusal?> ReadAsync(
        HttpContext context, GatewayRequest request, RequestBody body, Stream source, long? length, int limit)
    {
        var http = context.Request;
        if (length > limit)
        {
            return RefusalOf(BodyRead.TooLarge, limit);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        deadline.CancelAfter(settings.Current.Timeouts.Body);
        var began = request.Clock.GetTimestamp();
        try
        {
            var read = await body.ReadAsync(source, length, Beginning, limit, deadline.Token);
            if (read == BodyRead.Done && !body.IsWhole)
            {
                var beginning = PlaceIn(request.Operation, http, body);
                if (beginning is not (ModelPlace.Form or ModelPlace.None) && CheckEarly(request, body.Parse(request.Operation, beginning)) is { } early)
                {
                    return early;
                }

                read = await body.ReadAsync(source, length, long.MaxValue, limit, deadline.Token);
            }

            if (read != BodyRead.Done)
            {
                return RefusalOf(read, limit, isDecoded: source is ZstdBody);
            }
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new BadHttpRequestException("The request's body did not arrive in time.", StatusCodes.Status408RequestTimeout);
        }
        finally
        {
            request.BodyWait = request.Clock.GetTimestamp() - began;
            request.RequestBytes = body.BytesRead;
        }

        var place = PlaceIn(request.Operation, http, body);
        var head = place == ModelPlace.None ? default
            : place == ModelPlace.Form ? await RequestForm.FindModelAsync(body.Open, http.ContentType, http.QueryString.Value, context.RequestAborted)
            : body.Parse(request.Operation, place, NameEndUser.NeedsBody(request));
        if (Check(request, head) is { } refusal)
        {
            return refusal;
        }

        body.Head = head;
        request.WantsStream = head.Stream ?? (request.Operation is { Dialect: Dialect.Native, GenAiName: not "embeddings" });
        request.Affinity = head.Affinity;
        return head.Model is null && request.Operation.Model != ModelPlace.Any ? GatewayRefusal.BadRequest("model is required") : null;
    }

    private static void AskForUsage(GatewayRequest request, RequestBody body)
    {
        if (request.Operation is { Dialect: Dialect.OpenAI, Name: "chat" or "generate" } && UsageRequest.TextOf(body.Head.UsageChange) is { IsEmpty: false } text)
        {
            body.Replace(body.Head.UsagePlace, text);
            request.AddedUsage = true;
        }
    }

    // A body of an unknown route names a model where it is of a kind in which known routes name theirs.
    private static ModelPlace PlaceIn(Operation operation, HttpRequest http, RequestBody body) =>
        operation.Model != ModelPlace.Any ? operation.Model
        : http.ContentType?.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) == true ? ModelPlace.Form
        : body.IsObject ? ModelPlace.Body : ModelPlace.None;

    // A request that would be refused anyway need not send the rest of its body.
    private GatewayRefusal? CheckEarly(GatewayRequest request, in RequestHeadResult head) =>
        Check(request, head)
        ?? (head.Model is { } model
            && request.Chain is null
            && request.Operation is { Handling: Handling.Infer, GenAiName: not "embeddings" }
            && admission.FindRefusal(ModelName.FullNameOf(model), request.Turn) is { } full
            ? GatewayRefusal.From(full, model)
            : null);

    private GatewayRefusal? Check(GatewayRequest request, in RequestHeadResult head) =>
        head.Problem is { } problem ? GatewayRefusal.BadRequest(problem)
        : CheckOthers(request, head) ?? (head.Model is { } model ? Check(request, model) : null);

    // The base of a created model and the destination of a copy are models as well.
    private GatewayRefusal? CheckOthers(GatewayRequest request, in RequestHeadResult head)
    {
        foreach (var (property, model) in head.Named ?? [])
        {
            // A member that is not read here cannot be checked, and an instance may still accept it.
            if (model is null or { Length: > ModelText.MaxLength })
            {
                return GatewayRefusal.BadRequest($"\"{property}\" must be a string of at most {ModelText.MaxLength} characters.");
            }
        }

        if (head.RemoteHost is { } host && !settings.Current.AllowCloudModels)
        {
            return GatewayRefusal.Forbidden($"The model would send its prompts to '{host}', and this gateway keeps prompts on its own machines.");
        }

        if (Registries.Check(request.Operation, head, settings.Current.Registries) is { } elsewhere)
        {
            return elsewhere;
        }

        foreach (var (property, model) in head.Named ?? [])
        {
            if (request.Caller.Key is { Models.IsAll: false } && !request.Caller.MayUse(model))
            {
                return GatewayRefusal.Forbidden($"{request.Caller.Credential} may not use the model in '{property}'.");
            }

            if (model is not null && property is not ("model" or "name") && CheckCloud(model) is { } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    /// <summary>The answer to a body that was not read to its end.</summary>
    /// <param name="end">How far it was read.</param>
    /// <param name="limit">Bytes that it may have.</param>
    /// <param name="isDecoded">Whether they are counted after decompression.</param>
    private static GatewayRefusal RefusalOf(BodyRead end, long limit, bool isDecoded = false) => end switch
    {
        BodyRead.TooLarge => new(Outcome.BadRequest, StatusCodes.Status413PayloadTooLarge, isDecoded
            ? $"The request's body is larger than {limit} bytes when it is decompressed; send less, or send it without Content-Encoding."
            : $"The request's body is larger than {limit} bytes; send less, or ask the gateway's operator to raise 'Gateway:Body:Limit'."),
        BodyRead.NeverFits => new(Outcome.BadRequest, StatusCodes.Status413PayloadTooLarge, "The request's body is larger than all of the room that the gateway has for bodies; send less, or ask the gateway's operator to raise 'Gateway:Body:DiskLimit' or, without a disk, 'Gateway:Body:MemoryLimit'."),
        _ => new(Outcome.QueueFull, StatusCodes.Status503ServiceUnavailable, "The server is busy: the bodies of other requests leave no room for this one; try again later.", TimeSpan.FromSeconds(5)),
    };
}

/// <summary>A body that was read, or why its request is refused.</summary>
internal readonly struct HeadResult
{
    private readonly RequestBody? _body;
    private readonly GatewayRefusal? _refusal;

    private HeadResult(RequestBody? body, GatewayRefusal? refusal) => (_body, _refusal) = (body, refusal);

    /// <summary>Gets the body, to be disposed of; else the refusal.</summary>
    public bool TryGetBody([NotNullWhen(true)] out RequestBody? body, [NotNullWhen(false)] out GatewayRefusal? refusal)
    {
        (body, refusal) = (_body, _refusal);
        return refusal is null;
    }

    /// <summary>The body was read.</summary>
    public static implicit operator HeadResult(RequestBody body) => new(body, null);

    /// <summary>The request is refused.</summary>
    public static implicit operator HeadResult(GatewayRefusal refusal) => new(null, refusal);
}
