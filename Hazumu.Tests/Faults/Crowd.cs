using System.Net;
using System.Net.Http.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Faults;

/// <summary>More clients than there is room for, who come back as they are told to. They begin at once.</summary>
public sealed class Crowd : IAsyncDisposable
{
    /// <summary>How many clients.</summary>
    public const int Size = 700;

    // As in TwoInstancesTests: a model of random weights must be kept from saying the same for ever.
    private static readonly object s_options = new { num_predict = 400, repeat_penalty = 3.0, repeat_last_n = 200 };

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromMinutes(5) };
    private readonly CancellationTokenSource _enough = new();
    private readonly Task _asking;

    /// <summary>Sends everybody.</summary>
    /// <param name="gateway">The gateway's address.</param>
    public Crowd(Uri gateway) => _asking = Task.WhenAll(Enumerable.Range(0, Size).Select(_ => AskAsync(gateway)));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _enough.CancelAsync();
        await _asking;
        _enough.Dispose();
        _http.Dispose();
    }

    private async Task AskAsync(Uri gateway)
    {
        while (!_enough.IsCancellationRequested)
        {
            try
            {
                using var response = await _http.PostAsJsonAsync(new Uri(gateway, "api/generate"), new { model = OllamaClient.TinyModelName, prompt = "Hello", options = s_options }, _enough.Token);
                if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                {
                    await Task.Delay(response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1), _enough.Token);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (HttpRequestException)
            {
                // The gateway's answer is what is measured, and Prometheus has it; a client only tries again.
                await Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None);
            }
        }
    }
}
