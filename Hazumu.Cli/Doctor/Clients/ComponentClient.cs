using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Hazumu.Cli.Doctor.Clients;

/// <summary>
/// A component's HTTP interface. Every failure becomes a <see cref="CheckException"/> with a sentence.
/// </summary>
/// <param name="http">A client.</param>
/// <param name="name">The component's name.</param>
/// <param name="address">Its address.</param>
/// <param name="authorization">The credentials, if the component requires some.</param>
internal sealed class ComponentClient(HttpClient http, string name, Uri address, AuthenticationHeaderValue? authorization = null)
{
    private const int ExcerptLength = 200;

    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    /// <summary>The component's name.</summary>
    public string Name { get; } = name;

    /// <summary>Its address.</summary>
    public Uri Address { get; } = new(address.AbsoluteUri.TrimEnd('/') + "/");

    /// <summary>
    /// Creates the client for all components, without a proxy: this machine reaches its own graph directly.
    /// </summary>
    public static HttpClient CreateHttpClient() => new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromSeconds(10),
        MaxResponseContentBufferSize = 64 << 20,
    };

    /// <summary>Sends a request.</summary>
    /// <exception cref="CheckException">Nothing answers.</exception>
    public async Task<Answer> SendAsync(HttpMethod method, string path, object? content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(Address, path));
        request.Headers.Authorization = authorization;
        if (content is not null)
        {
            request.Content = new StringContent(JsonSerializer.Serialize(content, s_json), Encoding.UTF8, "application/json");
        }

        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            return new Answer(response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken), response.Headers.Date);
        }
        catch (HttpRequestException error)
        {
            throw NoAnswer(error.GetBaseException().Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw NoAnswer($"no answer to '{path}' within {http.Timeout.TotalSeconds:0} s");
        }
    }

    /// <summary>Gets a text.</summary>
    /// <exception cref="CheckException">Nothing answers, or it answers that it cannot.</exception>
    public async Task<Answer> GetAsync(string path, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(HttpMethod.Get, path, content: null, cancellationToken);
        return answer.IsSuccess ? answer : throw Refusal(path, answer);
    }

    /// <summary>Gets a JSON document.</summary>
    /// <exception cref="CheckException">Nothing answers, it answers that it cannot, or with something else.</exception>
    public async Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) => Read<T>(path, await GetAsync(path, cancellationToken));

    /// <summary>Posts JSON.</summary>
    /// <exception cref="CheckException">Nothing answers, or it refuses.</exception>
    public async Task<Answer> PostAsync(string path, object content, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(HttpMethod.Post, path, content, cancellationToken);
        return answer.IsSuccess ? answer : throw Refusal(path, answer);
    }

    /// <summary>Reads an answer's JSON.</summary>
    /// <exception cref="CheckException">It is something else.</exception>
    public T Read<T>(string path, Answer answer)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(answer.Body, s_json) ?? throw UnexpectedAnswer(path, answer);
        }
        catch (JsonException)
        {
            throw UnexpectedAnswer(path, answer);
        }
    }

    /// <summary>Creates the exception for an answer that is not of this component's API.</summary>
    public CheckException UnexpectedAnswer(string path, Answer answer) =>
        new($"{Name} answers '{path}' with an answer that its API does not have ({Excerpt(answer.Body)}); see which program is on {Address}.");

    private CheckException NoAnswer(string reason) =>
        new($"{Name} does not answer on {Address} ({reason}); start it, or correct its port if it listens elsewhere.");

    private CheckException Refusal(string path, Answer answer) =>
        new($"{Name} answers '{path}' with {(int)answer.Status} ({Excerpt(answer.Body)}); see its log.");

    /// <summary>The beginning of a text, in one line.</summary>
    public static string Excerpt(string text)
    {
        var line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length == 0 ? "nothing" : line.Length <= ExcerptLength ? line : $"{line[..ExcerptLength]} …";
    }
}

/// <summary>A component's answer.</summary>
/// <param name="Status">The status.</param>
/// <param name="Body">The body.</param>
/// <param name="Date">The component's clock, to the second; <see langword="null"/> if the answer has no Date
/// header.</param>
internal sealed record Answer(HttpStatusCode Status, string Body, DateTimeOffset? Date)
{
    /// <summary>Whether the status is 2xx.</summary>
    public bool IsSuccess => (int)Status is >= 200 and < 300;

    /// <summary>
    /// The component's time, to compare its other times with; this machine's time if it has no Date header.
    /// </summary>
    public DateTimeOffset Now => Date ?? DateTimeOffset.UtcNow;
}
