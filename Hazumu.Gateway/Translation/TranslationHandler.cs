using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.RateLimiting;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Translation;

/// <summary>
/// Translates a client's dialect for an engine that does not have it. Dialects of the engine itself pass byte for byte,
/// and so do all requests for Ollama, which has all three.
/// </summary>
/// <remarks>
/// The rest of the gateway, which measures, retries and aborts, sees an engine that has all dialects.
/// </remarks>
internal sealed class TranslationHandler : DelegatingHandler
{
    /// <summary>The option of a request with what is called whenever something of the engine's answer has come.</summary>
    public static readonly HttpRequestOptionsKey<Action> Progress = new("Hazumu.Progress");

    // A request is taken apart in memory: its text is there as bytes, in UTF-16, and as bytes again. Beside that, each value
    // is an object of some 250 bytes, so that a body of small values takes 80 times its size.
    private const long LargestRequest = 64 * 1024 * 1024;
    private const int MostTokens = 200_000;

    // Of one engine, from a request's body to the head of its answer; further requests wait.
    private const int KilobytesAtOnce = 256 * 1024;
    private const long LargestDocument = 256 * 1024 * 1024;

    private const string ChatCompletions = "/v1/chat/completions";
    private const string CountTokens = "/v1/messages/count_tokens";

    private readonly Func<CancellationToken, ValueTask<EngineKind>> _kindOf;
    private readonly TimeProvider _clock;
    private readonly ModelReader _models;
    private readonly SpokenRoutes _routes;
    private readonly ConcurrencyLimiter _room = new(new() { PermitLimit = KilobytesAtOnce, QueueLimit = int.MaxValue });

    /// <summary>Translates for one engine.</summary>
    /// <param name="kindOf">The engine's kind, which may not be known before it is requested.</param>
    /// <param name="ids">The ids of its models, as far as they are known.</param>
    /// <param name="inner">Its connections.</param>
    /// <param name="clock">Measures what the engine does not.</param>
    public TranslationHandler(Func<CancellationToken, ValueTask<EngineKind>> kindOf, ModelIds ids, HttpMessageHandler inner, TimeProvider clock)
        : base(inner)
    {
        _kindOf = kindOf;
        _clock = clock;
        _models = new ModelReader(ids, base.SendAsync, clock);
        _routes = new SpokenRoutes(base.SendAsync, clock);
    }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var pending = _kindOf(cancellationToken);
        if (!pending.IsCompletedSuccessfully)
        {
            return SendAsync(request, pending, cancellationToken);
        }

        var kind = pending.Result;
        return kind == EngineKind.Ollama ? base.SendAsync(request, cancellationToken) : SendAsync(request, new(kind), cancellationToken);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, ValueTask<EngineKind> pending, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        var dialect = Dialects.Of(path);
        try
        {
            var kind = await pending;
            var translated = kind == EngineKind.Ollama ? null : dialect switch
            {
                Dialect.Native => await SendNativeAsync(request, path, kind, cancellationToken),
                Dialect.OpenAI => await SendOpenAIAsync(request, path, cancellationToken),
                _ => await SendMessagesAsync(request, path, kind, cancellationToken),
            };
            return translated ?? await base.SendAsync(request, cancellationToken);
        }
        catch (TranslationException refusal)
        {
            return Refuse(new HttpResponseMessage((HttpStatusCode)refusal.Status) { RequestMessage = request }, dialect, refusal.Message);
        }
        catch (HttpRequestException error) when (error.StatusCode is { } status)
        {
            // The engine refuses the read that must precede the request: with 503, it is still loading.
            return Refuse(new HttpResponseMessage(status) { RequestMessage = request }, dialect, $"The model server answered with the status {(int)status}.");
        }
    }

    private async Task<HttpResponseMessage?> SendNativeAsync(HttpRequestMessage request, string path, EngineKind kind, CancellationToken cancellationToken)
    {
        switch (request.Method.Method, path)
        {
            case ("POST", "/api/chat"):
                return await InferAsync(request, kind, isChat: true, cancellationToken);

            case ("POST", "/api/generate"):
                return await InferAsync(request, kind, isChat: false, cancellationToken);

            case ("POST", "/api/embed"):
                return await EmbedAsync(request, kind, isOld: false, cancellationToken);

            case ("POST", "/api/embeddings"):
                return await EmbedAsync(request, kind, isOld: true, cancellationToken);

            case ("GET" or "HEAD", "/api/version"):
                return Document(request, new JsonObject { ["version"] = NativeReads.Version });

            case ("GET" or "HEAD", "/api/tags"):
                return Document(request, NativeReads.Tags(await ListAsync(request, cancellationToken)));

            case ("GET", "/api/ps"):
                return Document(request, NativeReads.Running(await ListAsync(request, cancellationToken), _clock));

            case ("POST", "/api/show"):
                return await ShowAsync(request, kind, cancellationToken);

            default:
                // LM Studio has an API of its own there.
                return path.StartsWith("/api/", StringComparison.Ordinal)
                    && !path.StartsWith("/api/v0/", StringComparison.Ordinal) && !path.StartsWith("/api/v1/", StringComparison.Ordinal)
                    ? throw new TranslationException(501, $"This model server has no {path}: it is not Ollama, and its models are set where it is started.")
                    : null;
        }
    }

    private async Task<HttpResponseMessage?> SendOpenAIAsync(HttpRequestMessage request, string path, CancellationToken cancellationToken)
    {
        const string Models = "/v1/models/";
        if (request.Method == HttpMethod.Post && path == "/v1/responses" && !await _routes.HasAsync(request, path, cancellationToken))
        {
            throw new TranslationException(501, "This model server has no /v1/responses; use /v1/chat/completions.");
        }

        if (request.Method != HttpMethod.Get || !path.StartsWith(Models, StringComparison.Ordinal))
        {
            return null;
        }

        // Neither llama-server nor vLLM has this route; both have the list.
        var answer = await base.SendAsync(request, cancellationToken);
        if (answer.StatusCode != HttpStatusCode.NotFound)
        {
            return answer;
        }

        answer.Dispose();
        var name = Uri.UnescapeDataString(path[Models.Length..]);
        var list = await ListAsync(request, cancellationToken);
        var id = await FindAsync(name, request, cancellationToken);
        return Document(request, (JsonObject?)list.FirstOrDefault(model => model.Text("id") == id) ?? new JsonObject { ["id"] = id, ["object"] = "model" });
    }

    private async Task<HttpResponseMessage?> SendMessagesAsync(HttpRequestMessage request, string path, EngineKind kind, CancellationToken cancellationToken)
    {
        if (request.Method != HttpMethod.Post || path is not ("/v1/messages" or CountTokens) || await _routes.HasAsync(request, path, cancellationToken))
        {
            return null;
        }

        using var room = await EnterAsync(request, cancellationToken);
        var (writer, isStream) = await TranslateMessagesAsync(request, path, kind, cancellationToken);
        return path == CountTokens
            ? await CountAsync(request, cancellationToken)
            : await InferAsync(request, writer, isStream, Dialect.Anthropic, cancellationToken);
    }

    // In a method of its own, so that nothing of the client's document is in memory while the engine generates.
    private async Task<(MessagesWriter Writer, bool IsStream)> TranslateMessagesAsync(
        HttpRequestMessage request, string path, EngineKind kind, CancellationToken cancellationToken)
    {
        var body = await ReadBodyAsync(request, cancellationToken);
        var name = body.Text("model") ?? "";
        var model = await FindAsync(name, request, cancellationToken);
        var isStream = MessagesRequest.WantsStream(body);
        var translated = MessagesRequest.Translate(body, model, kind);
        if (path == CountTokens)
        {
            translated = new JsonObject
            {
                ["model"] = translated.Take("model"),
                ["messages"] = translated.Take("messages"),
                ["tools"] = translated.Take("tools"),
            };
        }

        Readdress(request, path == CountTokens ? "/tokenize" : ChatCompletions, translated);
        return (new MessagesWriter(name, isStream, IdOf(request)), isStream);
    }

    // vLLM counts the tokens of a chat, by its template; others count those of a text, or nothing.
    private async Task<HttpResponseMessage> CountAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        const string Refusal = "This model server does not count the tokens of a chat; each answer of /v1/messages has them in its 'usage'.";
        using var answer = await PostAsync(request, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            throw new TranslationException(501, Refusal);
        }

        await answer.Content.LoadIntoBufferAsync(LargestDocument, cancellationToken);
        try
        {
            var counted = JsonReading.Parse(await answer.Content.ReadAsByteArrayAsync(cancellationToken));
            return Document(request, new JsonObject { ["input_tokens"] = counted.Number("count") ?? throw new TranslationException(501, Refusal) });
        }
        catch (JsonException)
        {
            throw new TranslationException(501, Refusal);
        }
    }

    private async Task<HttpResponseMessage> InferAsync(HttpRequestMessage request, EngineKind kind, bool isChat, CancellationToken cancellationToken)
    {
        using var room = await EnterAsync(request, cancellationToken);
        var (loaded, writer, isStream) = await TranslateNativeAsync(request, kind, isChat, cancellationToken);
        return loaded ?? await InferAsync(request, writer!, isStream, Dialect.Native, cancellationToken);
    }

    private async Task<(HttpResponseMessage? Loaded, NativeWriter? Writer, bool IsStream)> TranslateNativeAsync(
        HttpRequestMessage request, EngineKind kind, bool isChat, CancellationToken cancellationToken)
    {
        var body = await ReadBodyAsync(request, cancellationToken);
        var name = body.Text("model") ?? "";
        var model = await FindAsync(name, request, cancellationToken);
        if (NativeRequest.IsEmpty(body, isChat))
        {
            return NativeRequest.Unloads(body)
                ? throw new TranslationException(501, "This model server keeps its models loaded; 'keep_alive' does not take one out of memory.")
                : (Document(request, NativeWriter.Loaded(name, isChat, _clock)), null, false);
        }

        var isCompletion = !isChat && (body.Flag("raw") == true || body.Text("suffix") is { Length: > 0 });
        var translated = isChat ? NativeRequest.Chat(body, model, kind)
            : isCompletion ? NativeRequest.Complete(body, model, kind)
            : NativeRequest.Generate(body, model, kind);
        var isStream = NativeRequest.WantsStream(body);
        Readdress(request, isCompletion ? "/v1/completions" : ChatCompletions, translated);
        return (null, new NativeWriter(name, isChat, isStream, _clock), isStream);
    }

    private async Task<HttpResponseMessage> InferAsync(
        HttpRequestMessage request, AnswerWriter writer, bool isStream, Dialect dialect, CancellationToken cancellationToken)
    {
        var reader = new AnswerReader(writer, _clock);
        var answer = await PostAsync(request, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            return await RefuseAsync(answer, dialect, cancellationToken);
        }

        if (answer.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            answer.StatusCode = HttpStatusCode.BadGateway;
            return Refuse(answer, dialect, $"The model server did not stream its answer to {request.RequestUri!.AbsolutePath}.");
        }

        var engineContent = answer.Content;
        var stream = new TranslatedStream(
            engineContent,
            await engineContent.ReadAsStreamAsync(cancellationToken),
            reader,
            writer,
            request.Options.TryGetValue(Progress, out var onProgress) ? onProgress : null);
        if (isStream)
        {
            Replace(answer, new StreamContent(stream), writer.MediaType);
        }
        else
        {
            await using (stream)
            {
                using var whole = new MemoryStream();
                await stream.CopyToAsync(whole, cancellationToken);
                if (!reader.HasEnded)
                {
                    throw new HttpIOException(HttpRequestError.ResponseEnded, "The model server ended its answer before it was complete.");
                }

                if (writer.Error is { } error)
                {
                    answer.StatusCode = HttpStatusCode.InternalServerError;
                    return Refuse(answer, dialect, error);
                }

                Replace(answer, new ByteArrayContent(whole.GetBuffer(), 0, (int)whole.Length), writer.MediaType);
            }
        }

        return answer;
    }

    private async Task<HttpResponseMessage> EmbedAsync(HttpRequestMessage request, EngineKind kind, bool isOld, CancellationToken cancellationToken)
    {
        var began = _clock.GetTimestamp();
        using var room = await EnterAsync(request, cancellationToken);
        var body = await ReadBodyAsync(request, cancellationToken);
        var name = body.Text("model") ?? "";
        var model = await FindAsync(name, request, cancellationToken);
        if (NativeEmbeddings.TakeInput(body, isOld) is not { } input)
        {
            return Document(request, NativeEmbeddings.Loaded(name, isOld));
        }

        // Not sent: engines refuse it for models that were not trained for it.
        int? dimensions = body.Number("dimensions") is > 0 and <= int.MaxValue and var number ? (int)number : null;
        Readdress(request, "/v1/embeddings", NativeRequest.Embed(input, body, model, kind));
        var answer = await PostAsync(request, cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            return await RefuseAsync(answer, Dialect.Native, cancellationToken);
        }

        using var disposed = answer;
        await answer.Content.LoadIntoBufferAsync(LargestDocument, cancellationToken);
        await using var source = await answer.Content.ReadAsStreamAsync(cancellationToken);
        try
        {
            using var document = await JsonDocument.ParseAsync(source, cancellationToken: cancellationToken);
            return Document(request, NativeEmbeddings.Translate(document.RootElement, name, isOld, dimensions, _clock.GetElapsedTime(began)));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new TranslationException(502, "The model server's answer to /v1/embeddings is not a list of embeddings.");
        }
    }

    private async Task<HttpResponseMessage> ShowAsync(HttpRequestMessage request, EngineKind kind, CancellationToken cancellationToken)
    {
        using var room = await EnterAsync(request, cancellationToken);
        var body = await ReadBodyAsync(request, cancellationToken);
        var id = await FindAsync(body.Text("model") ?? body.Text("name") ?? "", request, cancellationToken);
        var list = await ListAsync(request, cancellationToken);
        var props = kind == EngineKind.LlamaServer
            ? await _models.GetAsync(request, list.Count > 1 ? $"/props?model={Uri.EscapeDataString(id)}&autoload=false" : "/props", cancellationToken)
            : null;
        return Document(request, NativeReads.Show(list, id, props));
    }

    private async Task<string> FindAsync(string name, HttpRequestMessage request, CancellationToken cancellationToken) =>
        name.Length == 0 ? throw new TranslationException(400, "model is required")
        : await _models.FindAsync(name, request, cancellationToken) ?? throw new TranslationException(404, $"model '{name}' not found");

    private async Task<JsonArray> ListAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        await _models.ReadAsync(request, cancellationToken) ?? throw new TranslationException(502, "The model server gives no list of its models at /v1/models.");

    private static async Task<JsonObject> ReadBodyAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is not { } content)
        {
            return [];
        }

        // Not by ReadAsByteArrayAsync, which keeps a copy in the content for as long as the answer takes.
        using var body = new MemoryStream((int)content.Headers.ContentLength!.Value);
        await content.CopyToAsync(body, cancellationToken);
        var bytes = body.GetBuffer().AsSpan(0, (int)body.Length);
        try
        {
            LimitTokens(bytes);
            return JsonReading.Parse(bytes) as JsonObject ?? throw new TranslationException(400, "The request's body must be a JSON object.");
        }
        catch (JsonException error)
        {
            throw new TranslationException(400, error.Message);
        }
    }

    // Before anything is built: a token of two bytes becomes an object of hundreds.
    private static void LimitTokens(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        for (var count = 0; reader.Read(); count++)
        {
            if (count == MostTokens)
            {
                throw new TranslationException(
                    413, $"The request's body has more than {MostTokens} values, names and brackets; send less at once to this model server.");
            }
        }
    }

    /// <returns>To be disposed when the request has been answered.</returns>
    private ValueTask<RateLimitLease> EnterAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        request.Content is { Headers.ContentLength: not (>= 0 and <= LargestRequest) }
            ? throw new TranslationException(413, $"The request's body must have a length of at most {LargestRequest} bytes for this model server.")
            : _room.AcquireAsync(1 + (int)((request.Content?.Headers.ContentLength ?? 0) / 1024), cancellationToken);

    // The client's request goes on as another one, with the headers that still fit.
    private static void Readdress(HttpRequestMessage request, string path, JsonObject body)
    {
        request.RequestUri = new Uri(request.RequestUri!, path);
        request.Content = new ReadOnlyMemoryContent(body.Write()) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        request.Headers.Accept.Clear();
        request.Headers.AcceptEncoding.Clear();
        request.Headers.ExpectContinue = null;
    }

    private async Task<HttpResponseMessage> PostAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = await base.SendAsync(request, cancellationToken);

        // The answer, which may take minutes, holds the request.
        request.Content = null;
        return answer;
    }

    private static void Replace(HttpResponseMessage answer, HttpContent content, string mediaType)
    {
        answer.Content = content;
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(mediaType);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _room.Dispose();
        }

        base.Dispose(disposing);
    }

    private static async Task<HttpResponseMessage> RefuseAsync(HttpResponseMessage answer, Dialect dialect, CancellationToken cancellationToken)
    {
        using var content = answer.Content;
        await content.LoadIntoBufferAsync(LargestDocument, cancellationToken);
        return Refuse(answer, dialect, EngineError.Read(await content.ReadAsByteArrayAsync(cancellationToken), (int)answer.StatusCode));
    }

    private static HttpResponseMessage Refuse(HttpResponseMessage answer, Dialect dialect, string message)
    {
        answer.Content.Dispose();
        var error = ErrorBody.Write(dialect, (int)answer.StatusCode, message, IdOf(answer.RequestMessage)).WrittenMemory;
        Replace(answer, new ReadOnlyMemoryContent(error), ErrorBody.MediaTypeOf(dialect));
        return answer;
    }

    private static string IdOf(HttpRequestMessage? request) => request?.Headers.TryGetValues("X-Request-Id", out var ids) == true ? ids.First() : "";

    private static HttpResponseMessage Document(HttpRequestMessage request, JsonObject document) => Document(request, document.Write());

    private static HttpResponseMessage Document(HttpRequestMessage request, ReadOnlyMemory<byte> document)
    {
        var answer = new HttpResponseMessage(HttpStatusCode.OK)
        {
            RequestMessage = request,
            Content = new ReadOnlyMemoryContent(request.Method == HttpMethod.Head ? default : document),
        };
        answer.Content.Headers.ContentType = MediaTypeHeaderValue.Parse("application/json; charset=utf-8");
        answer.Content.Headers.ContentLength = document.Length;
        return answer;
    }
}
