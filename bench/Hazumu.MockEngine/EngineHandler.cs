using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Mocks;

/// <summary>The engine's routes.</summary>
internal sealed class EngineHandler(
    MockEngine engine,
    Library library,
    FaultList faults,
    ModelScheduler scheduler,
    RequestLog log,
    Pacer pacer,
    ConcurrentDictionary<string, MockScript> scripts)
{
    private const string BlobsPath = "/api/blobs/";
    private const string ModelsPath = "/v1/models/";

    public async Task HandleAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "/";
        if (path.StartsWith("/mock/", StringComparison.Ordinal))
        {
            await ControlRoutes.HandleAsync(engine, context, path).ConfigureAwait(false);
            return;
        }

        var request = log.Begin(context.Request);
        var exchange = new Exchange(context, request, new MockAnswer(context, request), engine.Options);
        var outcome = MockOutcome.Answered;
        try
        {
            await DispatchAsync(exchange, path).ConfigureAwait(false);
            outcome = exchange.IsBroken ? MockOutcome.Broken
                : !exchange.IsComplete && context.RequestAborted.IsCancellationRequested ? MockOutcome.Disconnected
                : MockOutcome.Answered;
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or ConnectionAbortedException)
        {
            // A body that breaks off is an IOException of Kestrel's.
            outcome = exchange.IsBroken ? MockOutcome.Broken : MockOutcome.Disconnected;
            context.Abort();
        }
        finally
        {
            log.End(request, outcome);
        }
    }

    private Task DispatchAsync(Exchange exchange, string path)
    {
        if (faults.Take(beforeBody: true, path, IsInference(path), model: null) is { } fault)
        {
            return StrikeBeforeBodyAsync(exchange, fault, path);
        }

        if (scripts.TryGetValue(path, out var script))
        {
            // An empty document is refused, as every engine does: the gateway finds out by it which routes there are.
            return exchange.Options.SpeaksOpenAIOnly && exchange.Context.Request.ContentLength == 2
                ? exchange.DocumentAsync(400, """{"error":{"message":"model is required"}}"""u8.ToArray())
                : PlayAsync(exchange, script);
        }

        if (exchange.Options.SpeaksOpenAIOnly && (!path.StartsWith("/v1/", StringComparison.Ordinal) || path.StartsWith("/v1/messages", StringComparison.Ordinal)))
        {
            return exchange.DocumentAsync(404, """{"detail":"Not Found"}"""u8.ToArray());
        }

        var method = exchange.Context.Request.Method;
        var isRead = HttpMethods.IsGet(method) || HttpMethods.IsHead(method);
        return (isRead, path) switch
        {
            (true, "/") => exchange.DocumentAsync(200, "Ollama is running", "text/plain; charset=utf-8"),
            (true, "/api/version") => DescribeAsync(exchange, new { version = exchange.Options.Version }),
            (true, "/api/tags") => DescribeAsync(exchange, new { models = library.Models.Select(model => Descriptions.Stored(model, exchange.Options.TagsTellCapabilities)) }),
            (true, "/api/ps") => DescribeAsync(exchange, new { models = scheduler.Loaded().Select(Descriptions.Loaded) }),
            (true, "/api/status") => DescribeAsync(exchange, new { cloud = new { disabled = true, source = "env" } }),
            (true, "/v1/models") => DescribeAsync(
                exchange, new { @object = "list", data = library.Models.Select(model => Descriptions.OpenAI(model)) }),
            (true, _) when path.StartsWith(ModelsPath, StringComparison.Ordinal) =>
                ShowOpenAIAsync(exchange, path[ModelsPath.Length..]),
            (true, _) when HttpMethods.IsHead(method) && path.StartsWith(BlobsPath, StringComparison.Ordinal) =>
                exchange.DocumentAsync(library.HasBlob(path[BlobsPath.Length..]) ? 200 : 404, ReadOnlyMemory<byte>.Empty),
            (false, _) when HttpMethods.IsPost(method) && path.StartsWith(BlobsPath, StringComparison.Ordinal) =>
                ReceiveBlobAsync(exchange, path[BlobsPath.Length..]),
            (false, "/api/delete") when HttpMethods.IsDelete(method) => HandleBodyAsync(exchange, path),
            (false, _) when HttpMethods.IsPost(method) && (IsInference(path) || IsManaging(path)) => HandleBodyAsync(exchange, path),
            _ => exchange.DocumentAsync(404, "404 page not found", "text/plain"),
        };
    }

    private static bool IsInference(string path) => path is
        "/api/chat" or "/api/generate" or "/api/embed" or "/api/embeddings" or
        "/v1/chat/completions" or "/v1/completions" or "/v1/embeddings" or "/v1/messages";

    private static bool IsManaging(string path) =>
        path is "/api/show" or "/api/pull" or "/api/push" or "/api/create" or "/api/copy";

    private async Task HandleBodyAsync(Exchange exchange, string path)
    {
        InferenceBody body;
        try
        {
            body = await ReadBodyAsync(exchange).ConfigureAwait(false);
        }
        catch (JsonException broken)
        {
            await exchange.ErrorAsync(400, broken.Message).ConfigureAwait(false);
            return;
        }

        exchange.Request.Model = body.Model;
        var model = body.Model is null ? null : library.Find(body.Model);
        var fault = faults.Take(
            beforeBody: false, path, IsInference(path), body.Model is null ? null : Library.Canonical(body.Model));
        if (fault is not null && await StrikeAtOnceAsync(exchange, fault).ConfigureAwait(false))
        {
            return;
        }

        if (string.IsNullOrEmpty(body.Model))
        {
            await exchange.ErrorAsync(400, "model is required").ConfigureAwait(false);
        }
        else if (path == "/api/pull")
        {
            await PullAsync(exchange, body).ConfigureAwait(false);
        }
        else if (path == "/api/create")
        {
            library.Add((body.Other is null ? null : library.Find(body.Other)) is { } basis
                ? basis with { Name = body.Model, Digest = Library.Digest($"{body.Model} from {body.Other}"), ModifiedAt = DateTimeOffset.UtcNow }
                : new MockModel(body.Model) { ModifiedAt = DateTimeOffset.UtcNow });
            await ReportAsync(exchange, body, ["{\"status\":\"writing manifest\"}", "{\"status\":\"success\"}"]).ConfigureAwait(false);
        }
        else if (model is null)
        {
            await exchange.ErrorAsync(404, $"model '{body.Model}' not found").ConfigureAwait(false);
        }
        else if (!IsInference(path))
        {
            await ManageAsync(exchange, path, model, body).ConfigureAwait(false);
        }
        else
        {
            await InferAsync(exchange, path, model, body, fault).ConfigureAwait(false);
        }
    }

    private Task ManageAsync(Exchange exchange, string path, MockModel model, in InferenceBody body)
    {
        switch (path)
        {
            case "/api/show":
                return DescribeAsync(exchange, Descriptions.Shown(model));
            case "/api/delete":
                scheduler.Expire(model);
                library.Remove(model.Name);
                return exchange.DocumentAsync(200, ReadOnlyMemory<byte>.Empty);
            case "/api/copy" when string.IsNullOrEmpty(body.Other):
                return exchange.ErrorAsync(400, "destination \"\" is invalid");
            case "/api/copy":
                library.Add(model with { Name = body.Other, Digest = Library.Digest(model), ModifiedAt = DateTimeOffset.UtcNow });
                return exchange.DocumentAsync(200, ReadOnlyMemory<byte>.Empty);
            default:
                return ReportAsync(exchange, body, ["{\"status\":\"retrieving manifest\"}", "{\"status\":\"success\"}"]);
        }
    }

    private async Task InferAsync(Exchange exchange, string path, MockModel model, InferenceBody body, MockFault? fault)
    {
        var isChatOrGenerate = path is "/api/chat" or "/api/generate";
        var kind = path == "/api/chat" ? AnswerKind.Chat : AnswerKind.Generate;
        if (isChatOrGenerate && !body.HasPrompt && body.KeepAlive == TimeSpan.Zero)
        {
            scheduler.Expire(model);
            await exchange.DocumentAsync(200, AnswerShape.Loaded(kind, body.Model!, "unload")).ConfigureAwait(false);
            return;
        }

        scheduler.Arrive(model);
        try
        {
            var began = Stopwatch.GetTimestamp();
            TimeSpan load;
            try
            {
                load = await scheduler.EnterAsync(model, exchange.Request, exchange.Aborted).ConfigureAwait(false);
            }
            catch (QueueFullException)
            {
                await exchange.ErrorAsync(503, "server busy, please try again.  maximum pending requests exceeded").ConfigureAwait(false);
                return;
            }

            try
            {
                if (isChatOrGenerate && !body.HasPrompt)
                {
                    await exchange.DocumentAsync(200, AnswerShape.Loaded(kind, body.Model!, "load")).ConfigureAwait(false);
                    return;
                }

                load = load > TimeSpan.Zero ? load : exchange.Options.WarmLoadDuration;
                await new Generation(engine, exchange, pacer, path, body, fault, began, load).RunAsync().ConfigureAwait(false);
            }
            finally
            {
                scheduler.Leave(model, body.KeepAlive);
            }
        }
        finally
        {
            scheduler.Depart(model);
        }
    }

    private static async ValueTask<InferenceBody> ReadBodyAsync(Exchange exchange)
    {
        var reader = exchange.Context.Request.BodyReader;
        var result = await reader.ReadAsync(exchange.Aborted).ConfigureAwait(false);
        if (result.IsCompleted && result.Buffer.IsSingleSegment)
        {
            return Parse(exchange, reader, result.Buffer);
        }

        var whole = new ArrayBufferWriter<byte>();
        while (true)
        {
            foreach (var segment in result.Buffer)
            {
                whole.Write(segment.Span);
            }

            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                break;
            }

            result = await reader.ReadAsync(exchange.Aborted).ConfigureAwait(false);
        }

        exchange.Request.Received(whole.WrittenSpan);
        return InferenceBody.Parse(new ReadOnlySequence<byte>(whole.WrittenMemory));
    }

    private static InferenceBody Parse(Exchange exchange, PipeReader reader, ReadOnlySequence<byte> json)
    {
        try
        {
            exchange.Request.Received(json.FirstSpan);
            return InferenceBody.Parse(json);
        }
        finally
        {
            reader.AdvanceTo(json.End);
        }
    }

    private async Task ReceiveBlobAsync(Exchange exchange, string digest)
    {
        using var hash = exchange.Options.CheckDigests ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
        var reader = exchange.Context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(exchange.Aborted).ConfigureAwait(false);
            foreach (var segment in result.Buffer)
            {
                exchange.Request.Received(segment.Span);
                hash?.AppendData(segment.Span);
            }

            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                break;
            }
        }

        var got = hash is null ? digest : "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset());
        if (got != digest)
        {
            await exchange.ErrorAsync(400, $"digest mismatch, expected \"{digest}\", got \"{got}\"").ConfigureAwait(false);
            return;
        }

        library.AddBlob(digest, exchange.Request.BodyBytes);
        await exchange.DocumentAsync(201, ReadOnlyMemory<byte>.Empty).ConfigureAwait(false);
    }

    private async Task PullAsync(Exchange exchange, InferenceBody body)
    {
        var digest = Library.Digest(body.Model!);
        var model = library.Find(body.Model) ?? new MockModel(body.Model!);
        var steps = Math.Max(1, exchange.Options.PullSteps);
        var lines = new List<string> { "{\"status\":\"pulling manifest\"}" };
        for (var step = 1; step <= steps; step++)
        {
            lines.Add(
                $$"""{"status":"pulling {{digest[..12]}}","digest":"sha256:{{digest}}","total":{{model.Size}},"completed":{{model.Size / steps * step}}}""");
        }

        lines.AddRange(
            "{\"status\":\"verifying sha256 digest\"}", "{\"status\":\"writing manifest\"}", "{\"status\":\"success\"}");
        await ReportAsync(exchange, body, lines, exchange.Options.PullTime / lines.Count, () => library.Add(model)).ConfigureAwait(false);
    }

    /// <summary>Tells of a managing verb's progress: line by line, or only the last one where it is not to be streamed.</summary>
    private static async Task ReportAsync(
        Exchange exchange, InferenceBody body, IReadOnlyList<string> lines, TimeSpan pause = default, Action? whenDone = null)
    {
        var isStreamed = body.Stream ?? true;
        if (isStreamed)
        {
            exchange.Answer.Begin(200, "application/x-ndjson");
        }

        foreach (var line in lines)
        {
            if (pause > TimeSpan.Zero)
            {
                await Task.Delay(pause, exchange.Aborted).ConfigureAwait(false);
            }

            if (line == lines[^1])
            {
                whenDone?.Invoke();
            }

            if (isStreamed)
            {
                exchange.Request.Phase = MockPhase.Streaming;
                exchange.Answer.Write(line + "\n");
                await exchange.Answer.FlushAsync().ConfigureAwait(false);
                exchange.Aborted.ThrowIfCancellationRequested();
            }
        }

        exchange.IsComplete = true;
        if (!isStreamed)
        {
            await exchange.DocumentAsync(200, lines[^1]).ConfigureAwait(false);
        }
    }

    private static Task DescribeAsync(Exchange exchange, object document) =>
        exchange.DocumentAsync(200, JsonSerializer.SerializeToUtf8Bytes(document));

    private Task ShowOpenAIAsync(Exchange exchange, string name) => library.Find(name) is { } model
        ? DescribeAsync(exchange, Descriptions.OpenAI(model))
        : exchange.ErrorAsync(404, $"model '{name}' not found");

    private static async Task PlayAsync(Exchange exchange, MockScript script)
    {
        while (true)
        {
            var result = await exchange.Context.Request.BodyReader.ReadAsync(exchange.Aborted).ConfigureAwait(false);
            foreach (var segment in result.Buffer)
            {
                exchange.Request.Received(segment.Span);
            }

            exchange.Context.Request.BodyReader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                break;
            }
        }

        exchange.Request.Phase = MockPhase.Streaming;
        exchange.Answer.Begin(script.Status, "");
        exchange.Context.Response.Headers.Remove("Content-Type");
        foreach (var (name, value) in script.Headers)
        {
            exchange.Answer.Header(name, value);
        }

        for (var i = 0; i < script.Chunks.Count; i++)
        {
            if (i > 0 && script.Pause > TimeSpan.Zero)
            {
                await Task.Delay(script.Pause, exchange.Aborted).ConfigureAwait(false);
            }

            exchange.Answer.Write(script.Chunks[i].Span);
            await exchange.Answer.FlushAsync().ConfigureAwait(false);
            exchange.Aborted.ThrowIfCancellationRequested();
        }

        exchange.IsComplete = true;
        if (script.ResetAtEnd)
        {
            exchange.Break();
        }
    }

    private async Task StrikeBeforeBodyAsync(Exchange exchange, MockFault fault, string path)
    {
        if (!await StrikeAtOnceAsync(exchange, fault).ConfigureAwait(false))
        {
            if (fault.Kind == MockFaultKind.HangBeforeHeaders)
            {
                await Task.Delay(fault.Duration ?? Timeout.InfiniteTimeSpan, exchange.Aborted).ConfigureAwait(false);
            }

            await DispatchAsync(exchange, path).ConfigureAwait(false);
        }
    }

    /// <summary>Strikes if the fault needs nothing of the engine, and tells whether it did.</summary>
    private static async ValueTask<bool> StrikeAtOnceAsync(Exchange exchange, MockFault fault)
    {
        switch (fault.Kind)
        {
            case MockFaultKind.ResetBeforeResponse:
                exchange.Break();
                return true;
            case MockFaultKind.Status:
                if (fault.RetryAfter is { } seconds)
                {
                    exchange.Answer.Header("Retry-After", seconds);
                }

                await exchange.ErrorAsync(fault.Status, fault.Message).ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }
}
