using System.IO.Pipelines;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Management;

/// <summary>
/// Sends one management request to several instances at once and answers the client once: with the combined progress where they stream,
/// and with the names of the instances that failed.
/// </summary>
internal sealed class InstanceBroadcast(FleetMonitor monitor, GatewaySettings settings)
{
    private const int LargestAnswer = 1024 * 1024;

    /// <summary>Sends a request whose body is here.</summary>
    public ValueTask<Completion> SendAsync(HttpContext context, GatewayRequest request, IReadOnlyList<Instance> instances, RequestBody? body) =>
        SendAsync(context, request, instances, _ => body?.Open(), body?.Length);

    /// <summary>Sends the client's body to all instances as it comes, at the pace of the slowest.</summary>
    public async ValueTask<Completion> UploadAsync(HttpContext context, GatewayRequest request, IReadOnlyList<Instance> instances)
    {
        var uploads = instances.Select(_ => new Pipe()).ToList();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var reading = CopyAsync(context, request, uploads, end.Token);
        try
        {
            var completion = await SendAsync(context, request, instances, index => uploads[index].Reader.AsStream(), context.Request.ContentLength);
            await reading;
            return completion;
        }
        finally
        {
            // Nothing may read the client's body once the request has ended.
            await end.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task CopyAsync(HttpContext context, GatewayRequest request, List<Pipe> uploads, CancellationToken cancellationToken)
    {
        Exception? problem = null;
        try
        {
            while (true)
            {
                var read = await context.Request.BodyReader.ReadAsync(cancellationToken);
                foreach (var piece in read.Buffer)
                {
                    request.RequestBytes += piece.Length;
                    // An instance that has the blob already, or has failed, reads no further: its pipe is completed and takes nothing.
                    await Task.WhenAll(uploads.Select(upload => upload.Writer.WriteAsync(piece, cancellationToken).AsTask()));
                }

                context.Request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception error)
        {
            problem = error;
            throw;
        }
        finally
        {
            uploads.ForEach(upload => upload.Writer.Complete(problem));
        }
    }

    private async ValueTask<Completion> SendAsync(HttpContext context, GatewayRequest request, IReadOnlyList<Instance> instances, Func<int, Stream?> body, long? length)
    {
        request.BeginAttempt(instance: null, isCold: false);
        var progress = new CombinedProgress(instances.Count);
        var sending = Task.WhenAll(instances.Select((instance, index) => SendAsync(context, instance, index, body(index), length, progress)));
        context.Response.Headers[GatewayHeaders.Instance] = string.Join(", ", instances.Select(instance => instance.HeaderName));
        var success = default(byte[]);
        await foreach (var line in progress.Lines.ReadAllAsync(context.RequestAborted))
        {
            if (line.AsSpan().StartsWith("{\"status\":\"success\""u8))
            {
                // True only once no instance has failed.
                success = line;
                continue;
            }

            await WriteLineAsync(context, line);
        }

        var answers = await sending;
        context.RequestAborted.ThrowIfCancellationRequested();
        foreach (var instance in instances)
        {
            monitor.Refresh(instance);
        }

        // Nothing to delete at one instance is no failure where another had the model.
        var isAbsenceFine = request.Operation.Name == "delete" && Array.Exists(answers, answer => answer.Problem is null);
        var failed = answers.Where(answer => answer.Problem is not null && !(isAbsenceFine && answer.Status == StatusCodes.Status404NotFound)).ToList();
        if (failed.Count == 0)
        {
            await WriteSuccessAsync(context, answers.First(answer => answer.Problem is null), success);
            return Completion.Success;
        }

        // All for the same reason: that is the engines' own answer.
        var status = failed.All(answer => answer.Status == failed[0].Status) && failed[0].Status >= 400 ? failed[0].Status : StatusCodes.Status502BadGateway;
        var message = failed.Count == answers.Length && failed.All(answer => answer.Problem == failed[0].Problem) ? failed[0].Problem! : Describe(failed, answers);
        if (!context.Response.HasStarted)
        {
            return new GatewayRefusal(status < 500 ? Outcome.EngineRefused : Outcome.EngineError, status, message);
        }

        DialectError.WriteInStream(context.Response.BodyWriter, context, request.Operation.Dialect, message);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        return new(Outcome.StreamError);
    }

    private static string Describe(List<Answer> failed, Answer[] all)
    {
        var problems = string.Join("; ", failed.Select(answer => $"'{answer.Instance}': {answer.Problem}"));
        var done = string.Join(", ", all.Except(failed).Select(answer => $"'{answer.Instance}'"));
        return done.Length > 0 ? $"Failed at {problems}. Done at {done}. Repeat the request." : $"Failed at {problems}.";
    }

    private static async Task WriteLineAsync(HttpContext context, byte[] line)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentType = "application/x-ndjson";
        }

        await context.Response.Body.WriteAsync(line, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    private static async Task WriteSuccessAsync(HttpContext context, Answer answer, byte[]? success)
    {
        if (success is not null)
        {
            await WriteLineAsync(context, success);
            return;
        }

        if (context.Response.HasStarted)
        {
            return;
        }

        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        context.Response.ContentLength = answer.Body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(answer.Body, context.RequestAborted);
        }
    }

    private async Task<Answer> SendAsync(HttpContext context, Instance instance, int index, Stream? upload, long? length, CombinedProgress progress)
    {
        var limit = settings.Current.Timeouts.Management;
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        void OnProgress() => silence.CancelAfter(limit);
        OnProgress();
        using var content = upload is null ? null : new StreamContent(new UploadStream(upload, OnProgress)) { Headers = { ContentLength = length } };
        var client = context.Request;
        using var request = new HttpRequestMessage(HttpMethod.Parse(client.Method), instance.Targets.Find(client.Path, client.QueryString)) { Content = content };
        request.Headers.Add(GatewayHeaders.RequestId, context.TraceIdentifier);
        if (content is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", client.ContentType ?? "application/json");
        }

        try
        {
            using var response = await instance.Client.SendAsync(request, silence.Token);
            var (status, type) = ((int)response.StatusCode, response.Content.Headers.ContentType?.ToString());
            await using var stream = await response.Content.ReadAsStreamAsync(silence.Token);
            if (status < 300 && type?.StartsWith("application/x-ndjson", StringComparison.Ordinal) == true)
            {
                return new(instance.Name, status, type, [], await ReadProgressAsync(stream, index, progress, OnProgress, silence.Token));
            }

            var body = await ReadAsync(stream, silence.Token);
            return new(instance.Name, status, type, body, status < 300 ? null : ErrorOf(body) ?? $"it answered with {status}");
        }
        catch (Exception error) when (error is HttpRequestException or IOException or JsonException)
        {
            return new(instance.Name, 0, null, [], error.Message);
        }
        catch (OperationCanceledException error) when (!context.RequestAborted.IsCancellationRequested)
        {
            // SocketsHttpHandler's own time limit is the one for connections.
            return new(instance.Name, 0, null, [], (error.InnerException as TimeoutException)?.Message ?? $"it was silent for {limit}");
        }
        finally
        {
            upload?.Dispose();
            progress.End(index);
        }
    }

    private static async Task<string?> ReadProgressAsync(Stream stream, int index, CombinedProgress progress, Action onProgress, CancellationToken cancellationToken)
    {
        using var lines = new StreamReader(stream);
        var isSuccess = false;
        while (await lines.ReadLineAsync(cancellationToken) is { } text)
        {
            onProgress();
            if (string.IsNullOrWhiteSpace(text))
            {
                continue;
            }

            using var line = JsonDocument.Parse(text);
            if (line.RootElement.ValueKind == JsonValueKind.Object && line.RootElement.TryGetProperty("error", out var error))
            {
                return error.ToString();
            }

            isSuccess |= line.RootElement.ValueKind == JsonValueKind.Object && line.RootElement.TryGetProperty("status", out var status) && status.ValueEquals("success");
            progress.Report(index, line.RootElement);
        }

        return isSuccess ? null : "it ended without success";
    }

    private static async Task<byte[]> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var piece = new byte[16 * 1024];
        int count;
        while ((count = await stream.ReadAsync(piece, cancellationToken)) > 0)
        {
            if (body.Length + count > LargestAnswer)
            {
                throw new IOException($"its answer is larger than {LargestAnswer} bytes");
            }

            body.Write(piece, 0, count);
        }

        return body.ToArray();
    }

    private static string? ErrorOf(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("error", out var error) ? error.ToString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The answer of one instance.</summary>
    /// <param name="Instance">Its name.</param>
    /// <param name="Status">The status; 0 where there was no answer.</param>
    /// <param name="ContentType">The type of the body.</param>
    /// <param name="Body">The body, where it was not progress.</param>
    /// <param name="Problem">Why it failed; <see langword="null"/> where it did not.</param>
    private sealed record Answer(string Instance, int Status, string? ContentType, byte[] Body, string? Problem);
}
