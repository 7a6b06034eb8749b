using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Hazumu.Mocks;

/// <summary>The making of one answer, in a slot.</summary>
internal sealed class Generation(
    MockEngine engine,
    Exchange exchange,
    Pacer pacer,
    string path,
    InferenceBody body,
    MockFault? fault,
    long began,
    TimeSpan load)
{
    /// <summary>Waits that are longer give heed to a client that leaves meanwhile.</summary>
    private static readonly TimeSpan s_longestDeafWait = TimeSpan.FromMilliseconds(100);

    private readonly MockEngineOptions _options = exchange.Options;
    private Pacer.Wait? _wait;

    public async Task RunAsync()
    {
        exchange.Request.Phase = MockPhase.Prefill;
        if (fault?.Kind == MockFaultKind.HangBeforeHeaders)
        {
            await StallAsync().ConfigureAwait(false);
        }

        var prefillBegan = Stopwatch.GetTimestamp();
        var prefillEnds = prefillBegan + Ticks(_options.PrefillTime);
        if (_options.PrefillTime > TimeSpan.Zero)
        {
            await WaitUntilAsync(prefillEnds, _options.PrefillTime, deaf: _options.PrefillOutlivesClient).ConfigureAwait(false);
        }

        var prefill = _options.PrefillTime > TimeSpan.Zero ? _options.PrefillTime : Stopwatch.GetElapsedTime(prefillBegan);
        exchange.Aborted.ThrowIfCancellationRequested();
        if (path is "/api/embed" or "/api/embeddings" or "/v1/embeddings")
        {
            await exchange.DocumentAsync(200, Embeddings()).ConfigureAwait(false);
            return;
        }

        exchange.Request.Phase = MockPhase.Streaming;
        var kind = path switch
        {
            "/api/chat" => AnswerKind.Chat,
            "/api/generate" => AnswerKind.Generate,
            "/v1/chat/completions" => AnswerKind.OpenAIChat,
            "/v1/completions" => AnswerKind.OpenAICompletion,
            _ => AnswerKind.AnthropicMessages,
        };
        var tokens = Math.Min(_options.Tokens, body.MaxTokens ?? int.MaxValue);
        var shape = engine.Answers.Get(kind, body.Model!, body.IncludeUsage);
        if (body.Stream ?? kind is AnswerKind.Chat or AnswerKind.Generate)
        {
            await StreamAsync(shape, tokens, prefill).ConfigureAwait(false);
        }
        else
        {
            await AnswerAsync(shape, tokens, prefill).ConfigureAwait(false);
        }
    }

    private async Task StreamAsync(AnswerShape shape, int tokens, TimeSpan prefill)
    {
        var answer = exchange.Answer;
        var aborted = exchange.Aborted;
        var start = Stopwatch.GetTimestamp();
        var step = Ticks(_options.TokenTime);
        answer.Begin(200, shape.StreamContentType);
        var strikesAt = fault is null ? -1 : Math.Min(fault.AfterTokens, tokens);
        for (var token = 0; token < tokens; token++)
        {
            if (token > 0 && step > 0)
            {
                await WaitUntilAsync(start + token * step, _options.TokenTime).ConfigureAwait(false);
            }

            aborted.ThrowIfCancellationRequested();
            if (token == strikesAt && await StrikeAsync(shape).ConfigureAwait(false))
            {
                return;
            }

            shape.WriteToken(answer, isFirst: token == 0);
            exchange.Request.SentTokens++;
            await answer.FlushAsync().ConfigureAwait(false);
        }

        if (step > 0)
        {
            await WaitUntilAsync(start + tokens * step, _options.TokenTime).ConfigureAwait(false);
        }

        aborted.ThrowIfCancellationRequested();
        if (strikesAt == tokens && await StrikeAsync(shape).ConfigureAwait(false))
        {
            return;
        }

        shape.WriteEnd(answer, Facts(tokens, prefill, start));
        exchange.IsComplete = true;
        await answer.FlushAsync().ConfigureAwait(false);
    }

    private async Task AnswerAsync(AnswerShape shape, int tokens, TimeSpan prefill)
    {
        var start = Stopwatch.GetTimestamp();
        if (fault is not null)
        {
            await WaitForTokensAsync(start, Math.Min(fault.AfterTokens, tokens)).ConfigureAwait(false);
            switch (fault.Kind)
            {
                case MockFaultKind.Stall:
                    await StallAsync().ConfigureAwait(false);
                    break;
                case MockFaultKind.Reset or MockFaultKind.EndEarly:
                    exchange.Break();
                    return;
                case MockFaultKind.ErrorInStream:
                    await exchange.ErrorAsync(500, fault.Message).ConfigureAwait(false);
                    return;
            }
        }

        await WaitForTokensAsync(start, tokens).ConfigureAwait(false);
        exchange.Aborted.ThrowIfCancellationRequested();
        exchange.Request.SentTokens = tokens;
        await exchange.DocumentAsync(200, shape.Single(Facts(tokens, prefill, start))).ConfigureAwait(false);
    }

    /// <summary>Whether the stream is over with it.</summary>
    private async ValueTask<bool> StrikeAsync(AnswerShape shape)
    {
        switch (fault!.Kind)
        {
            case MockFaultKind.Stall:
                await StallAsync().ConfigureAwait(false);
                return false;
            case MockFaultKind.Reset:
                exchange.Break();
                return true;
            case MockFaultKind.EndEarly:
                exchange.IsBroken = true;
                return true;
            case MockFaultKind.ErrorInStream:
                exchange.IsBroken = true;
                shape.WriteErrorInStream(exchange.Answer, fault.Message);
                await exchange.Answer.FlushAsync().ConfigureAwait(false);
                return true;
            default:
                return false;
        }
    }

    private Task StallAsync() => Task.Delay(fault!.Duration ?? Timeout.InfiniteTimeSpan, exchange.Aborted);

    private Task WaitForTokensAsync(long start, int tokens)
    {
        var time = _options.TokenTime * tokens;
        return time > TimeSpan.Zero ? WaitUntilAsync(start + Ticks(time), time).AsTask() : Task.CompletedTask;
    }

    private async ValueTask WaitUntilAsync(long due, TimeSpan about, bool deaf = false)
    {
        if (about <= s_longestDeafWait)
        {
            _wait ??= pacer.CreateWait();
            await _wait.UntilAsync(due).ConfigureAwait(false);
            return;
        }

        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left, deaf ? CancellationToken.None : exchange.Aborted).ConfigureAwait(false);
        }
    }

    /// <summary>Durations are those that were asked for; measured where that is "as fast as possible".</summary>
    private AnswerFacts Facts(int tokens, TimeSpan prefill, long decodeBegan)
    {
        var decode = _options.TokenTime > TimeSpan.Zero ? _options.TokenTime * tokens : Stopwatch.GetElapsedTime(decodeBegan);
        var total = Stopwatch.GetElapsedTime(began);
        var parts = load + prefill + decode;
        return new AnswerFacts(
            tokens < _options.Tokens ? "length" : "stop",
            tokens,
            _options.PromptTokens,
            _options.CachedPromptTokens,
            total > parts ? total : parts,
            load,
            prefill,
            decode);
    }

    private string Embeddings()
    {
        const string Vector = "[0.5,-0.25,0.125,0.0625]";
        var model = AnswerShape.Escape(body.Model!);
        var tokens = _options.PromptTokens.ToString(CultureInfo.InvariantCulture);
        var vectors = Enumerable.Range(0, Math.Max(1, body.Inputs));
        return path switch
        {
            "/api/embeddings" => $$"""{"embedding":{{Vector}}}""",
            "/api/embed" => new StringBuilder($$"""{"model":"{{model}}","embeddings":[""")
                .AppendJoin(',', vectors.Select(_ => Vector))
                .Append(CultureInfo.InvariantCulture, $$"""],"total_duration":{{Stopwatch.GetElapsedTime(began).Ticks * 100}}""")
                .Append(load > TimeSpan.Zero ? string.Create(CultureInfo.InvariantCulture, $",\"load_duration\":{load.Ticks * 100}") : "")
                .Append(CultureInfo.InvariantCulture, $$""","prompt_eval_count":{{tokens}}}""")
                .ToString(),
            _ => new StringBuilder("""{"object":"list","data":[""")
                .AppendJoin(',', vectors.Select(index => string.Create(
                    CultureInfo.InvariantCulture, $$"""{"object":"embedding","embedding":{{Vector}},"index":{{index}}}""")))
                .Append(CultureInfo.InvariantCulture,
                    $$$"""],"model":"{{{model}}}","usage":{"prompt_tokens":{{{tokens}}},"total_tokens":{{{tokens}}}}}""")
                .ToString(),
        };
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);
}
