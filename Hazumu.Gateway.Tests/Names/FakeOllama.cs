using System.Net;
using System.Text.Json;

namespace Hazumu.Gateway.Tests.Names;

/// <summary>An Ollama's memory: loads what it is told to, and evicts the model that was loaded first where there is no room.</summary>
internal sealed class FakeOllama(int room, params string[] stored) : HttpMessageHandler
{
    private static readonly string[] s_capabilities = ["completion"];

    /// <summary>What it has in memory, the oldest first.</summary>
    public List<(string Model, DateTimeOffset ExpiresAt)> Memory { get; } = [];

    /// <summary>What it has on disk.</summary>
    public HashSet<string> Stored { get; } = [.. stored];

    /// <summary>The requests that change something, as <c>load a -1</c>.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>The status that it answers with.</summary>
    public HttpStatusCode Status { get; set; } = HttpStatusCode.OK;

    /// <summary>Its clock.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Models in memory.</summary>
    public IEnumerable<string> Loaded => Memory.Select(held => held.Model);

    /// <summary>Completes before it answers.</summary>
    public Task Answers { get; set; } = Task.CompletedTask;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri!.AbsolutePath == "/api/tags")
        {
            return Answer(JsonSerializer.Serialize(new { models = Stored.Select(name => new { name, size = 1_000_000_000, capabilities = s_capabilities }) }));
        }

        using var document = JsonDocument.Parse(await request.Content!.ReadAsStringAsync(cancellationToken));
        var model = document.RootElement.GetProperty("model").GetString()!;
        if (request.RequestUri.AbsolutePath == "/api/pull")
        {
            Requests.Add($"pull {model}");
            Stored.Add(model);
            return Answer("""{"status":"success"}""");
        }

        var keep = document.RootElement.GetProperty("keep_alive").GetInt64();
        Requests.Add($"{(keep == 0 ? "unload" : "load")} {model} {keep}");
        await Answers.WaitAsync(cancellationToken);
        if (Status != HttpStatusCode.OK)
        {
            return new(Status) { Content = new StringContent("""{"error":"no memory"}""") };
        }

        var isLoaded = Memory.RemoveAll(held => held.Model == model) > 0;
        if (keep != 0)
        {
            if (!isLoaded && Memory.Count == room)
            {
                Memory.RemoveAt(0);
            }

            Memory.Add((model, keep < 0 ? Time.GetUtcNow().AddYears(290) : Time.GetUtcNow().AddSeconds(keep)));
        }

        return Answer("""{"done":true}""");
    }

    private static HttpResponseMessage Answer(string json) => new(HttpStatusCode.OK) { Content = new StringContent(json) };
}
