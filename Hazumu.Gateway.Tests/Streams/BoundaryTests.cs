using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Recorded streams through the gateway, cut into pieces at every place.</summary>
public sealed class BoundaryTests
{
    private const int Connections = 32;

    // Streams where the client asks for all that it gets, and where the gateway asks for more and takes it out again. All have an end:
    // what breaks off is HalfAnswerTests'.
    private static readonly Dictionary<string, Passage> s_passages = RecordedStreams.All
        .Where(stream => stream != RecordedStreams.NativeBroken)
        .Select(stream => new Passage(stream.Name, PathOf(stream), stream.ContentType, stream.Bytes, stream.Bytes, stream.Facts.InputTokens, stream.Facts.OutputTokens, AsksItself: true))
        .Concat(UsageFilterTests.Streams.Where(stream => !stream.Key.Contains("breaks off", StringComparison.Ordinal)).Select(stream => new Passage($"{stream.Key}, usage not asked for", PathOf(stream.Key), "text/event-stream", Ended(stream.Value.Asked), Ended(stream.Value.Unasked), 0, 0, AsksItself: false)))
        .ToDictionary(passage => passage.Name);

    public static TheoryData<string> Passages => [.. s_passages.Keys];

    [Theory]
    [MemberData(nameof(Passages))]
    public async Task A_stream_passes_the_same_wherever_it_is_cut(string name)
    {
        var passage = s_passages[name];
        var cuts = new ConcurrentQueue<int[]>([
            .. Enumerable.Range(1, passage.Sent.Length - 1).Select(at => (int[])[at]),
            [.. Enumerable.Range(1, passage.Sent.Length - 1)],
        ]);
        var count = cuts.Count;

        // The rest is sent when the client has what came before, so that a gateway that holds anything back would stand still.
        // Where the gateway takes something out, it has to hold some of it back.
        var asked = false;
        var arrived = new ConcurrentDictionary<string, TaskCompletionSource>();
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            asked |= exchange.Body.AsSpan().IndexOf("\"include_usage\":true"u8) >= 0;
            await exchange.BeginAsync(passage.ContentType);
            var start = 0;
            foreach (var cut in exchange["X-Cuts"]!.Split(',').Select(cut => int.Parse(cut, CultureInfo.InvariantCulture)))
            {
                await exchange.SendChunkAsync(passage.Sent.AsMemory(start..cut));
                start = cut;
                await (exchange["X-Cuts"]!.Contains(',', StringComparison.Ordinal) ? Task.CompletedTask
                    : passage.AsksItself ? arrived[exchange["X-Id"]!].Task.WaitAsync(TimeSpan.FromSeconds(10))
                    : Task.Delay(1));
            }

            await exchange.SendChunkAsync(passage.Sent.AsMemory(start));
            await exchange.EndChunksAsync();
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, $"--Gateway:Slots={Connections}");

        await Task.WhenAll(Enumerable.Range(0, Math.Min(Connections, count)).Select(_ => Task.Run(async () =>
        {
            using var connection = await RawConnection.OpenAsync(gateway.Address);
            while (cuts.TryDequeue(out var at))
            {
                var id = Guid.NewGuid().ToString();
                var first = arrived[id] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                await connection.SendAsync("POST", passage.Path, passage.Request, $"X-Id: {id}", $"X-Cuts: {string.Join(',', at)}");
                var got = await ReadAsync(connection, at[0], first);
                Assert.True(passage.Received.AsSpan().SequenceEqual(got), $"Cut at {at[0]}:\n{Encoding.UTF8.GetString(got)}");
            }
        })));

        Assert.True(asked);
        await gateway.Measured.RequestsAsync(count);
        if (passage.IsInference && passage.AsksItself)
        {
            // Nothing that was cut was misread.
            Assert.Equal(passage.InputTokens * count, gateway.Measured.Sum("gen_ai.client.inference.usage.input_tokens"));
            Assert.Equal(passage.OutputTokens * count, gateway.Measured.Sum("gen_ai.client.inference.usage.output_tokens"));
        }
    }

    private static async Task<byte[]> ReadAsync(RawConnection connection, int expected, TaskCompletionSource first)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var (status, headers) = (await connection.Reader.ReadHeadAsync(limit.Token))!.Value;
        if (!status.StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
        {
            Assert.Fail($"{status} {Encoding.UTF8.GetString((await connection.Reader.ReadBodyAsync(headers, untilEnd: true, limit.Token)).Body)}");
        }

        var got = new List<byte>();
        while (await connection.Reader.ReadChunkSizeAsync(limit.Token) is > 0 and var size)
        {
            got.AddRange(await connection.Reader.ReadAsync(size, limit.Token));
            await connection.Reader.ReadChunkEndAsync(limit.Token);
            if (got.Count >= expected)
            {
                first.TrySetResult();
            }
        }

        Assert.Empty(await connection.Reader.ReadHeadersAsync(limit.Token));
        return [.. got];
    }

    private static byte[] Ended(string stream) => Encoding.UTF8.GetBytes(
        stream.Contains("[DONE]", StringComparison.Ordinal) || stream.Contains("\"error\"", StringComparison.Ordinal) ? stream
        : stream.EndsWith("\n\n", StringComparison.Ordinal) ? $"{stream}data: [DONE]\n\n"
        : $"{stream}data: an event of two lines\n\ndata: [DONE]\n\n");

    private static string PathOf(RecordedStream stream) => stream.Dialect switch
    {
        _ when stream == RecordedStreams.NativePull => "/api/pull",
        _ when stream == RecordedStreams.NativeEmbed => "/api/embed",
        Dialect.Native => "/api/chat",
        Dialect.OpenAI when stream.Name.Contains("responses", StringComparison.Ordinal) => "/v1/responses",
        Dialect.OpenAI when stream == RecordedStreams.OpenAIEmbeddings => "/v1/embeddings",
        Dialect.OpenAI => PathOf(stream.Name),
        _ => "/v1/messages",
    };

    private static string PathOf(string name) => name.Contains("completion", StringComparison.Ordinal) ? "/v1/completions" : "/v1/chat/completions";

    private sealed record Passage(string Name, string Path, string ContentType, byte[] Sent, byte[] Received, long InputTokens, long OutputTokens, bool AsksItself)
    {
        public bool IsInference => Path != "/api/pull";

        public string Request => AsksItself
            ? """{"model":"mock","messages":[],"stream":true,"stream_options":{"include_usage":true}}"""
            : """{"model":"mock","messages":[],"stream":true}""";
    }
}
