using System.Collections.Concurrent;
using System.Text;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>An engine that answers when the test says so, one request for each word; and lets go of what was broken off no sooner.</summary>
internal sealed class HeldEngine : IAsyncDisposable
{
    private const string Answer = """{"model":"mock","message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":1}""";

    private readonly SemaphoreSlim _words = new(0);
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly RawEngine _engine;
    private int _running;
    private int _most;
    private int _answered;

    private HeldEngine() => _engine = RawEngine.Start(HandleAsync);

    /// <summary>Where it listens.</summary>
    public Uri Address => _engine.Address;

    /// <summary>Requests that it has, answered or not.</summary>
    public IReadOnlyCollection<RawExchange> Exchanges => _engine.Exchanges;

    /// <summary>Bodies of the requests, in the order of their coming.</summary>
    public IReadOnlyCollection<string> Asked => _asked;

    /// <summary>Requests that it holds.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>The most that it has held at once.</summary>
    public int Most => Volatile.Read(ref _most);

    /// <summary>Requests that it has answered.</summary>
    public int Answered => Volatile.Read(ref _answered);

    /// <summary>Whether an answer begins at once and only its end waits for the word.</summary>
    private bool BeginsAtOnce { get; init; }

    /// <summary>Starts one.</summary>
    /// <param name="beginsAtOnce">Whether an answer begins at once and only its end waits for the word.</param>
    public static HeldEngine Start(bool beginsAtOnce = false) => new() { BeginsAtOnce = beginsAtOnce };

    /// <summary>Says the word.</summary>
    public void Release(int count = 1) => _words.Release(count);

    /// <summary>Waits for as many requests to be held.</summary>
    public Task HoldsAsync(int count) => Wait.UntilAsync(() => Assert.Equal(count, Running), TimeSpan.FromSeconds(20));

    public ValueTask DisposeAsync()
    {
        _words.Release(100_000);
        return _engine.DisposeAsync();
    }

    private async Task HandleAsync(RawExchange exchange)
    {
        await exchange.ReadBodyAsync();
        var running = Interlocked.Increment(ref _running);
        for (var most = Most; running > most; most = Most)
        {
            Interlocked.CompareExchange(ref _most, running, most);
        }

        _asked.Enqueue(Encoding.UTF8.GetString(exchange.Body));
        try
        {
            if (BeginsAtOnce)
            {
                await exchange.BeginAsync("application/x-ndjson");
                await exchange.SendChunkAsync("""
                    {"model":"mock","message":{"role":"assistant","content":"hi"},"done":false}

                    """u8.ToArray());
            }

            await _words.WaitAsync();
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }

        if (exchange.Gone.IsCompleted)
        {
            return;
        }

        Interlocked.Increment(ref _answered);
        if (BeginsAtOnce)
        {
            await exchange.SendChunkAsync(Encoding.UTF8.GetBytes(Answer));
            await exchange.EndChunksAsync();
        }
        else
        {
            await exchange.AnswerAsync(200, "Content-Type: application/x-ndjson", Answer);
        }
    }
}
