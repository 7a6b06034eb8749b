using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Translation;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Translation;

/// <summary>An engine that speaks <c>/v1</c> only, and answers with what llama-server (b11669) has answered when it was recorded.</summary>
internal sealed class RecordedEngine : HttpMessageHandler
{
    private readonly Dictionary<string, (HttpStatusCode Status, string MediaType, byte[] Body)> _answers = new(StringComparer.Ordinal)
    {
        ["/v1/models"] = (HttpStatusCode.OK, "application/json", Recorded("models.json")),
        ["/props"] = (HttpStatusCode.OK, "application/json", Recorded("props.json")),
    };

    /// <summary>The requests that it has seen: path and body.</summary>
    public List<(string Path, JsonNode? Body)> Requests { get; } = [];

    /// <summary>The last request's body.</summary>
    public JsonNode Last => Requests[^1].Body!;

    /// <summary>Bytes of each read of an answer.</summary>
    public int PieceLength { get; init; } = 100;

    /// <summary>A recorded answer.</summary>
    /// <remarks>The calls were made to happen by a prompt that ended within one; the brace that was part of it was added.</remarks>
    public static byte[] Recorded(string file) => File.ReadAllBytes(RepositoryRoot.Combine("Hazumu.Gateway.Tests", "Translation", "Recorded", file));

    /// <summary>Has it answer a path with a stream.</summary>
    public RecordedEngine Streams(string path, string file) => Answers(path, Recorded(file), mediaType: "text/event-stream");

    /// <summary>Has it answer a path.</summary>
    public RecordedEngine Answers(string path, string body, HttpStatusCode status = HttpStatusCode.OK) => Answers(path, Encoding.UTF8.GetBytes(body), status);

    /// <summary>Has it answer a path.</summary>
    public RecordedEngine Answers(string path, byte[] body, HttpStatusCode status = HttpStatusCode.OK, string mediaType = "application/json")
    {
        _answers[path] = (status, mediaType, body);
        return this;
    }

    /// <summary>Sends it a request through the translation.</summary>
    public async Task<(int Status, string MediaType, string Text)> AskAsync(string method, string path, string? body = null, EngineKind kind = EngineKind.LlamaServer)
    {
        using var invoker = new HttpMessageInvoker(new TranslationHandler(_ => new(kind), new(), this, TimeProvider.System), disposeHandler: false);
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri("http://engine:8080" + path))
        {
            Content = body is null ? null : new StringContent(body),
        };
        using var answer = await invoker.SendAsync(request, CancellationToken.None);
        return ((int)answer.StatusCode, answer.Content.Headers.ContentType!.ToString(), await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Sends it a request, and parses the lines of the answer.</summary>
    public async Task<JsonNode[]> LinesAsync(string path, string body, EngineKind kind = EngineKind.LlamaServer)
    {
        var (status, mediaType, text) = await AskAsync("POST", path, body, kind);
        Assert.Equal((200, "application/x-ndjson"), (status, mediaType));
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        return [.. text.TrimEnd('\n').Split('\n').Select(line => JsonNode.Parse(line)!)];
    }

    /// <summary>Sends it a request, and parses the answer.</summary>
    public async Task<JsonNode> DocumentAsync(string method, string path, string? body = null, EngineKind kind = EngineKind.LlamaServer)
    {
        var (status, mediaType, text) = await AskAsync(method, path, body, kind);
        Assert.True(status == 200, $"{status}: {text}");
        Assert.Equal("application/json", mediaType.Split(';')[0]);
        return JsonNode.Parse(text)!;
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        Requests.Add((path, request.Content is null ? null : JsonNode.Parse(await request.Content.ReadAsStringAsync(cancellationToken))));
        var (status, mediaType, body) = _answers.GetValueOrDefault(path, (HttpStatusCode.NotFound, "application/json", """{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"""u8.ToArray()));
        var answer = new HttpResponseMessage(status) { RequestMessage = request, Content = new StreamContent(new Pieces(body, PieceLength)) };
        answer.Content.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
        return answer;
    }

    // A stream whose reads end where a connection's may.
    private sealed class Pieces(byte[] bytes, int length) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, length)], cancellationToken);
    }
}
