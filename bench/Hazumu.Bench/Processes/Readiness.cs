using System.Text;
using System.Text.Json;
using Hazumu.Bench.Load;

namespace Hazumu.Bench.Processes;

/// <summary>Whether something answers.</summary>
internal static class Readiness
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    /// <summary>Waits until <c>GET /</c> is answered with 200 and, where a model is named, a small chat too.</summary>
    /// <param name="address">Where Ollama's paths begin; it ends with a slash.</param>
    /// <param name="process">What shall answer.</param>
    /// <param name="model">The model of the chat.</param>
    /// <param name="key">The client's key.</param>
    /// <exception cref="NotReadyException">It ended, or did not answer within 20 s.</exception>
    public static async Task WaitAsync(Uri address, ChildProcess process, string? model = null, string? key = null)
    {
        using var client = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(5) };
        client.DefaultRequestHeaders.Authorization = key is null ? null : new("Bearer", key);
        var deadline = Environment.TickCount64 + (long)s_limit.TotalMilliseconds;
        var last = "no answer";
        while (Environment.TickCount64 < deadline)
        {
            if (process.HasExited)
            {
                throw new NotReadyException($"it ended\n{process.Output}");
            }

            try
            {
                using var root = await client.GetAsync(new Uri("", UriKind.Relative)).ConfigureAwait(false);
                last = $"GET / gave {(int)root.StatusCode}";
                if (root.IsSuccessStatusCode && (model is null || await ChatsAsync(client, model).ConfigureAwait(false)))
                {
                    return;
                }
            }
            catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
            {
                last = failure.Message;
            }

            await Task.Delay(50).ConfigureAwait(false);
        }

        throw new NotReadyException($"{last}\n{process.Output}");
    }

    private static async Task<bool> ChatsAsync(HttpClient client, string model)
    {
        using var body = new StringContent(JsonSerializer.Serialize(RequestTemplate.SmallBody(model)), Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri("api/chat", UriKind.Relative), body).ConfigureAwait(false);
        return answer.IsSuccessStatusCode;
    }
}

/// <summary>Something did not start.</summary>
internal sealed class NotReadyException(string message) : Exception(message);
