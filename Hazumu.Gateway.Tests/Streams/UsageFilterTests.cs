using System.Buffers;
using System.Text;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Streams;

public class UsageFilterTests
{
    private const string OllamaZeros = ""","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""";

    private static readonly Dictionary<string, (string Asked, string Unasked)> s_streams = new()
    {
        ["Ollama's chat"] = (RecordedStreams.OpenAIChat.Text, WithoutUsageEvent(RecordedStreams.OpenAIChat.Text)),
        ["Ollama's completion"] = (RecordedStreams.OpenAICompletion.Text, WithoutUsageEvent(RecordedStreams.OpenAICompletion.Text).Replace(OllamaZeros, "")),
        ["llama.cpp's chat"] = (RecordedStreams.OpenAILlamaCpp.Text, LlamaCppUnasked()),
        ["llama.cpp's completion, which tells its usage unasked"] = (RecordedStreams.OpenAILlamaCppCompletion.Text, RecordedStreams.OpenAILlamaCppCompletion.Text),
        ["a stream that fails"] = (RecordedStreams.OpenAILlamaCppError.Text, RecordedStreams.OpenAILlamaCppError.Text),
        ["a stream that breaks off inside an event"] = (RecordedStreams.OpenAIChat.Text[..700], RecordedStreams.OpenAIChat.Text[..700]),
        ["usage in every place, with white space, CRLF and comments"] = (
            ": hello\r\n\r\nevent: x\r\ndata: { \"usage\": null , \"choices\": [ {} ] }\r\nid: 1\r\n\r\n" +
            "data: {\"a\": 1, \"usage\": null, \"b\": 2}\r\n\r\ndata: {\"a\": 1, \"usage\": {\"total_tokens\": 0}}\r\n\r\n" +
            "data: {\"usage\":null}\r\n\r\ndata:{\"choices\": [ ], \"usage\": {\"total_tokens\": 7}}\r\n\r\ndata: [DONE]\r\n\r\n",
            ": hello\r\n\r\nevent: x\r\ndata: { \"choices\": [ {} ] }\r\nid: 1\r\n\r\n" +
            "data: {\"a\": 1, \"b\": 2}\r\n\r\ndata: {\"a\": 1}\r\n\r\n" +
            "data: {}\r\n\r\ndata: [DONE]\r\n\r\n"),
        ["usage where it is something else"] = Same(
            "data: {\"choices\":[{\"usage\":null}],\"x\":{\"usage\":null,\"choices\":[]}}\n\n" +
            "data: {\"choices\":[{\"text\":\"\\\"usage\\\":null\"}]}\n\ndata: {\"choices\":[],\"x\":\"no \\\"usage\\\"\"}\n\n" +
            "data: {\"choices\":[],\"usage\":5}\n\ndata: {\"choices\":[1],\"usage\":{\"a\":{\"b\":1}}}\n\n"),
        ["what is no JSON, or no event of one line"] = Same(
            "data: {\"usage\":null\n\ndata: \"usage\"\n\n\n\n\"usage\"\n\ndata: [\"usage\"]\n\ndata: {\"usage\":null,}\n\n" +
            "data: {\"choices\":[],\ndata: \"usage\":{}}\n\ndata: {\"usage\":null}\n"),
        ["lone carriage returns"] = Same("data: {\"choices\":[],\"usage\":{}}\r\rdata: {\"choices\":[],\"usage\":{}}\n\n"),
    };

    /// <summary>What an engine sends that was asked for usage, and what it would have sent unasked.</summary>
    internal static IReadOnlyDictionary<string, (string Asked, string Unasked)> Streams => s_streams;

    public static TheoryData<string> Names => [.. s_streams.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Passes_on_what_the_engine_would_have_sent_unasked(string name)
    {
        var (asked, unasked) = s_streams[name];

        Assert.NotEqual("", unasked);
        Assert.Equal(unasked, Pass(asked, ..));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Passes_the_same_on_wherever_the_stream_is_cut(string name)
    {
        var (asked, unasked) = s_streams[name];
        var length = Encoding.UTF8.GetByteCount(asked);

        for (var i = 0; i <= length; i++)
        {
            Assert.Equal(unasked, Pass(asked, ..i, i..));
        }

        Assert.Equal(unasked, Pass(asked, [.. Enumerable.Range(0, length).Select(i => i..(i + 1))]));
        var random = new Random(20260823);
        for (var round = 0; round < 200; round++)
        {
            var cuts = Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(length + 1)).Append(0).Append(length).Order().ToArray();
            Assert.Equal(unasked, Pass(asked, [.. cuts.Zip(cuts.Skip(1), (start, end) => start..end)]));
        }
    }

    [Fact]
    public void Holds_back_no_event_but_the_finish()
    {
        using var filter = new UsageFilter();
        var output = new ArrayBufferWriter<byte>();
        var expected = new StringBuilder();
        var finish = "";

        foreach (var part in Events(RecordedStreams.OpenAIChat.Text))
        {
            filter.Write(Encoding.UTF8.GetBytes(part), output);
            expected.Append(finish);
            finish = part.Contains("\"finish_reason\":\"", StringComparison.Ordinal) ? part : "";
            expected.Append(finish.Length > 0 || part.Contains("\"choices\":[]", StringComparison.Ordinal) ? "" : part);

            Assert.Equal(expected.ToString(), Encoding.UTF8.GetString(output.WrittenSpan));
        }

        Assert.EndsWith("data: [DONE]\n\n", expected.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Passes_an_event_that_is_too_large_to_hold_and_filters_on_behind_it()
    {
        var zeros = "{\"usage\":null,\"x\":1}";
        var large = $"data: {{\"usage\":null,\"x\":\"{new string('x', UsageFilter.Limit + 2000)}\"}}\n\n";
        var stream = $"data: {zeros}\n\n{large}data: {zeros}\n\n";

        using var filter = new UsageFilter();
        var output = new ArrayBufferWriter<byte>();
        var sent = 0;
        foreach (var piece in Encoding.UTF8.GetBytes(stream).Chunk(1000))
        {
            filter.Write(piece, output);
            sent += piece.Length;
            Assert.InRange(sent - output.WrittenCount, 0, UsageFilter.Limit);
        }

        filter.Flush(output);
        Assert.Equal($"data: {{\"x\":1}}\n\n{large}data: {{\"x\":1}}\n\n", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Neither_fails_nor_hangs_nor_adds_anything_to_noise()
    {
        var random = new Random(20260824);
        foreach (var stream in RecordedStreams.All)
        {
            for (var round = 0; round < 300; round++)
            {
                var bytes = StreamTapTests.Damage(stream.Bytes, random);
                using var filter = new UsageFilter();
                var output = new ArrayBufferWriter<byte>();
                foreach (var piece in bytes.Chunk(random.Next(1, 300)))
                {
                    filter.Write(piece, output);
                }

                filter.Flush(output);
                Assert.True(output.WrittenCount <= bytes.Length);
            }
        }
    }

    [Fact]
    public void Allocates_nothing_for_a_chunk()
    {
        using var filter = new UsageFilter();
        var output = new ArrayBufferWriter<byte>(1024 * 1024);
        var bytes = RecordedStreams.OpenAICompletion.Bytes;

        Assert.Equal(0, Allocations.Of(WriteCut));

        void WriteCut()
        {
            for (var i = 0; i < 10_000; i++)
            {
                output.ResetWrittenCount();
                filter.Write(bytes.AsSpan(0, i % bytes.Length), output);
                filter.Write(bytes.AsSpan(i % bytes.Length), output);
            }
        }
    }

    private static (string Asked, string Unasked) Same(string stream) => (stream, stream);

    private static IEnumerable<string> Events(string stream) =>
        stream.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(part => part + "\n\n");

    private static string WithoutUsageEvent(string stream) =>
        string.Concat(Events(stream).Where(part => !part.Contains("\"choices\":[]", StringComparison.Ordinal)));

    // llama.cpp adds its timings to the last event that it makes, which is the finish where nobody asks for usage.
    private static string LlamaCppUnasked()
    {
        var stream = RecordedStreams.OpenAILlamaCpp.Text;
        var timings = stream[stream.IndexOf(",\"timings\"", StringComparison.Ordinal)..stream.IndexOf("}\n\ndata: [DONE]", StringComparison.Ordinal)];
        var finish = Events(stream).Single(part => part.Contains("\"finish_reason\":\"", StringComparison.Ordinal));
        return WithoutUsageEvent(stream).Replace(finish, finish.Replace("}\n\n", timings + "}\n\n", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    private static string Pass(string stream, params Range[] pieces)
    {
        var bytes = Encoding.UTF8.GetBytes(stream);
        using var filter = new UsageFilter();
        var output = new ArrayBufferWriter<byte>();
        foreach (var piece in pieces)
        {
            filter.Write(bytes.AsSpan(piece), output);
        }

        filter.Flush(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
