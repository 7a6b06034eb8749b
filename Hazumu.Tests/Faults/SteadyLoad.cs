using System.Net.Http.Json;
using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Faults;

/// <summary>Requests at a steady pace, whatever becomes of them: two of three are streamed.</summary>
/// <param name="gateway">The gateway's address.</param>
public sealed class SteadyLoad(Uri gateway) : IAsyncDisposable
{
    /// <summary>Requests per second.</summary>
    public const int Rate = 4;

    private const int Tokens = 12;

    private static readonly object s_options = new { num_predict = Tokens };
    private static readonly object[] s_messages = [new { role = "user", content = "Hello" }];

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };
    private readonly CancellationTokenSource _enough = new();
    private Task _sending = Task.CompletedTask;
    private int _answered;
    private int _failed;

    /// <summary>How many requests were answered in full.</summary>
    public int Answered => _answered;

    /// <summary>How many were refused, broken off, or not answered within a minute.</summary>
    public int Failed => _failed;

    /// <summary>Begins to send.</summary>
    public void Start() => _sending = SendAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _sending;
        _enough.Dispose();
        _http.Dispose();
    }

    private async Task SendAsync()
    {
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / Rate));
        var open = new List<Task>();
        try
        {
            for (var i = 0; await pace.WaitForNextTickAsync(_enough.Token); i++)
            {
                open.RemoveAll(one => one.IsCompleted);
                open.Add(AskAsync(i));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task AskAsync(int turn)
    {
        var (path, body) = (turn % 3) switch
        {
            0 => ("api/generate", (object)new { model = OllamaClient.TinyModelName, prompt = $"Hello {turn}", options = s_options }),
            1 => ("v1/chat/completions", new { model = OllamaClient.TinyModelName, messages = s_messages, stream = true, max_tokens = Tokens }),
            _ => ("api/chat", new { model = OllamaClient.TinyModelName, messages = s_messages, stream = false, options = s_options }),
        };

        try
        {
            using var response = await _http.PostAsJsonAsync(new Uri(gateway, path), body, _enough.Token);
            var answer = await response.Content.ReadAsStringAsync(_enough.Token);
            Interlocked.Increment(ref response.IsSuccessStatusCode && IsWhole(answer) ? ref _answered : ref _failed);
        }
        catch (Exception problem) when (problem is HttpRequestException or TaskCanceledException)
        {
            if (!_enough.IsCancellationRequested)
            {
                Interlocked.Increment(ref _failed);
            }
        }
    }

    // An error in mid-stream is a line of a stream that began with 200.
    private static bool IsWhole(string answer)
    {
        var last = answer.TrimEnd().Split('\n')[^1];
        return last == "data: [DONE]" || (last.StartsWith('{') && JsonSerializer.Deserialize<JsonElement>(last).TryGetProperty("done", out var done) && done.GetBoolean());
    }
}
