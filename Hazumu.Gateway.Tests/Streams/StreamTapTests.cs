using System.Text;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Streams;

public class StreamTapTests
{
    public static TheoryData<string> Names => [.. RecordedStreams.All.Select(stream => stream.Name)];

    /// <summary>Answers that end with an object. What only an event's name tells is known at the blank line that ends it.</summary>
    public static TheoryData<string> EndedByAnObject =>
        [.. RecordedStreams.All.Where(stream => stream.Facts.IsComplete && stream.ContentType != "text/plain" && stream != RecordedStreams.AnthropicNames).Select(stream => stream.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Reads_an_answer_that_comes_whole(string name)
    {
        var stream = Stream(name);

        AssertFacts(stream, ..);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Reads_an_answer_that_comes_byte_by_byte(string name)
    {
        var stream = Stream(name);

        AssertFacts(stream, [.. Enumerable.Range(0, stream.Bytes.Length).Select(i => i..(i + 1))]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Reads_an_answer_that_is_cut_at_any_offset(string name)
    {
        var stream = Stream(name);

        for (var i = 0; i <= stream.Bytes.Length; i++)
        {
            AssertFacts(stream, ..i, i..);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Reads_an_answer_that_is_cut_at_random(string name)
    {
        var stream = Stream(name);
        var random = new Random(20260821);

        for (var round = 0; round < 200; round++)
        {
            var cuts = Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(stream.Bytes.Length + 1)).Append(0).Append(stream.Bytes.Length).Order().ToArray();
            AssertFacts(stream, [.. cuts.Zip(cuts.Skip(1), (start, end) => start..end)]);
        }
    }

    [Theory]
    [MemberData(nameof(EndedByAnObject))]
    public void Is_not_complete_before_the_closing_object_is_whole(string name)
    {
        var stream = Stream(name);
        // An answer may lack what ends its last line; without its last bracket, or quote, it is cut.
        var last = stream.Text.TrimEnd().Length;
        var bytes = Encoding.UTF8.GetByteCount(stream.Text[..last]);
        Assert.True(stream.Read(..bytes).IsComplete);
        Assert.False(stream.Read(..(bytes - 1)).IsComplete);
    }

    [Fact]
    public void Does_not_count_the_event_that_the_client_does_not_get()
    {
        var tap = StreamTap.For("text/event-stream", Dialect.OpenAI, hidesUsage: true);
        StreamFacts facts = default;

        tap.Observe(RecordedStreams.OpenAIChat.Bytes, ref facts);
        tap.Complete(ref facts);

        Assert.Equal(RecordedStreams.OpenAIChat.Facts.Events - 1, facts.Events);
        Assert.Equal(26, facts.InputTokens);
    }

    [Fact]
    public void Knows_the_facts_as_soon_as_they_are_there()
    {
        var tap = StreamTap.For("application/x-ndjson", Dialect.Native);
        StreamFacts facts = default;

        tap.Observe("""{"model":"m","message":{},"done":true,"eval_count":5,"eval_duration":6}"""u8, ref facts);
        Assert.Equal("m", facts.ResponseModel);
        Assert.Equal(5, facts.OutputTokens);
        Assert.False(facts.IsComplete);

        tap.Observe("\n"u8, ref facts);
        Assert.True(facts.IsComplete);
        Assert.Equal(1, facts.Events);
    }

    [Theory]
    [InlineData("APPLICATION/X-NDJSON")]
    [InlineData("application/x-ndjson;charset=utf-8")]
    [InlineData(" application/x-ndjson ; x=y")]
    public void Knows_a_content_type_however_it_is_written(string contentType)
    {
        var tap = StreamTap.For(contentType, Dialect.Native);
        StreamFacts facts = default;

        tap.Observe("{\"done\":true}\n{\"done\":true}\n"u8, ref facts);

        Assert.Equal(2, facts.Events);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("audio/mpeg")]
    public void Reads_nothing_in_what_it_does_not_know(string? contentType)
    {
        var tap = StreamTap.For(contentType, Dialect.Native);
        StreamFacts facts = default;

        tap.Observe("{\"error\":\"x\"}\n"u8, ref facts);
        Assert.False(facts.IsComplete);

        tap.Complete(ref facts);
        Assert.Equal(new() { IsComplete = true }, facts);
    }

    [Theory]
    [InlineData("{\"eval_count\":9223372036854775807}", long.MaxValue)]
    [InlineData("{\"eval_count\":99999999999999999999999999999999}", long.MaxValue)]
    [InlineData("{\"eval_count\":12.99}", 12)]
    [InlineData("{\"eval_count\":0}", 0)]
    [InlineData("{\"eval_count\": 7 }", 7)]
    [InlineData("{\"eval_count\":-5}", 0)]
    [InlineData("{\"eval_count\":1e3}", 0)]
    [InlineData("{\"eval_count\":1.5E3}", 0)]
    [InlineData("{\"eval_count\":\"5\"}", 0)]
    [InlineData("{\"eval_count\":null}", 0)]
    [InlineData("{\"eval_count\":[5]}", 0)]
    [InlineData("{\"eval_count\":5x}", 0)]
    [InlineData("{\"x\":{\"eval_count\":5}}", 0)]
    [InlineData("[{\"eval_count\":5}]", 0)]
    [InlineData("{\"EVAL_COUNT\":5}", 0)]
    public void Takes_only_whole_numbers_from_where_they_belong(string json, long expected)
    {
        var stream = new RecordedStream(json, "application/json", Dialect.Native, json, default);

        for (var i = 0; i <= json.Length; i++)
        {
            Assert.Equal(expected, stream.Read(..i, i..).OutputTokens);
        }
    }

    [Theory]
    [InlineData("{\"error\":null}", false)]
    [InlineData("{\"error\":\"\"}", true)]
    [InlineData("{\"error\":{}}", true)]
    [InlineData("{\"error\":[]}", true)]
    [InlineData("{\"error\":5}", true)]
    [InlineData("{\"x\":\"error\"}", false)]
    [InlineData("{\"x\":{\"error\":\"y\"}}", false)]
    public void Tells_an_error_from_a_member_that_says_there_is_none(string json, bool expected)
    {
        var stream = new RecordedStream(json, "application/json", Dialect.OpenAI, json, default);

        for (var i = 0; i <= json.Length; i++)
        {
            Assert.Equal(expected, stream.Read(..i, i..).HasError);
        }
    }

    [Theory]
    [InlineData("{\"model\":\"\\u0061\\/b\",\"done_reason\":\"\"}", "a/b", null)]
    [InlineData("{\"model\":\"\\ud800\",\"done_reason\":\"x\"}", null, "x")]
    [InlineData("{\"model\":\"\\q\",\"done_reason\":\"x\"}", null, "x")]
    [InlineData("{\"model\":null,\"done_reason\":null}", null, null)]
    public void Takes_texts_as_they_are_meant(string json, string? model, string? reason)
    {
        var stream = new RecordedStream(json, "application/json", Dialect.Native, json, default);

        for (var i = 0; i <= json.Length; i++)
        {
            var facts = stream.Read(..i, i..);
            Assert.Equal((model, reason), (facts.ResponseModel, facts.FinishReason));
        }
    }

    [Fact]
    public void Does_not_keep_a_text_of_any_length()
    {
        foreach (var (length, expected) in new[] { (256, true), (257, false), (100_000, false) })
        {
            var json = $$"""{"model":"{{new string('m', length)}}","{{new string('k', length)}}":1,"eval_count":5}""";
            var stream = new RecordedStream("long", "application/json", Dialect.Native, json, default);

            var facts = stream.Read(..10, 10..200, 200..);

            Assert.Equal(expected, facts.ResponseModel is not null);
            Assert.Equal(5, facts.OutputTokens);
        }
    }

    [Fact]
    public void Goes_on_after_a_line_that_is_no_JSON()
    {
        var stream = new RecordedStream("x", "application/x-ndjson", Dialect.Native, "{\"model\n}}]\n\n \n{\"done\":true,\"eval_count\":5}\n", default);

        for (var i = 0; i <= stream.Bytes.Length; i++)
        {
            var facts = stream.Read(..i, i..);
            Assert.Equal((5, true), (facts.OutputTokens, facts.IsComplete));
        }
    }

    [Fact]
    public void Survives_brackets_without_end()
    {
        var text = new string('[', 1_000_000) + "\n" + string.Concat(Enumerable.Repeat("{\"message\":", 100_000)) + "\n{\"done\":true}\n";
        var stream = new RecordedStream("deep", "application/x-ndjson", Dialect.Native, text, default);

        Assert.True(stream.Read(..).IsComplete);
    }

    [Fact]
    public void Neither_fails_nor_hangs_on_noise()
    {
        var random = new Random(20260822);
        foreach (var stream in RecordedStreams.All)
        {
            for (var round = 0; round < 300; round++)
            {
                var bytes = Damage(stream.Bytes, random);
                var tap = StreamTap.For(stream.ContentType, stream.Dialect);
                StreamFacts facts = default;
                for (var i = 0; i < bytes.Length;)
                {
                    var length = Math.Min(random.Next(1, 200), bytes.Length - i);
                    tap.Observe(bytes.AsSpan(i, length), ref facts);
                    i += length;
                }

                tap.Complete(ref facts);
                Assert.True(facts.InputTokens >= 0 && facts.OutputTokens >= 0 && facts.Events <= bytes.Length);
            }
        }
    }

    [Fact]
    public void An_answer_behind_noise_is_read()
    {
        var random = new Random(20260823);
        foreach (var stream in RecordedStreams.All.Where(stream => stream.Facts.IsComplete && stream.ContentType is "application/x-ndjson" or "text/event-stream"))
        {
            for (var round = 0; round < 300; round++)
            {
                var tap = StreamTap.For(stream.ContentType, stream.Dialect);
                StreamFacts facts = default;

                tap.Observe(Damage(stream.Bytes, random), ref facts);
                tap.Observe("\n\n"u8, ref facts);
                var before = facts.Events;
                tap.Observe(stream.Bytes, ref facts);
                tap.Complete(ref facts);

                Assert.True(facts.IsComplete, $"{stream.Name}, round {round}");
                Assert.Equal(stream.Facts.Events, facts.Events - before);
            }
        }
    }

    [Fact]
    public void Allocates_nothing_for_a_chunk()
    {
        foreach (var stream in RecordedStreams.All)
        {
            var tap = StreamTap.For(stream.ContentType, stream.Dialect);
            StreamFacts facts = default;

            Assert.Equal(0, Allocations.Of(ReadCut));

            void ReadCut()
            {
                for (var i = 0; i < 10_000; i++)
                {
                    var cut = i % stream.Bytes.Length;
                    tap.Observe(stream.Bytes.AsSpan(0, cut), ref facts);
                    tap.Observe(stream.Bytes.AsSpan(cut), ref facts);
                }
            }
        }
    }

    internal static byte[] Damage(byte[] bytes, Random random)
    {
        var damaged = bytes.ToList();
        for (var i = random.Next(1, 10); i > 0 && damaged.Count > 0; i--)
        {
            var at = random.Next(damaged.Count);
            switch (random.Next(4))
            {
                case 0:
                    damaged[at] = (byte)random.Next(256);
                    break;

                case 1:
                    damaged.RemoveRange(at, Math.Min(random.Next(20), damaged.Count - at));
                    break;

                case 2:
                    damaged.Insert(at, "{}[]\",:\\\n\r0-."u8.ToArray()[random.Next(13)]);
                    break;

                default:
                    damaged.InsertRange(at, damaged.GetRange(0, random.Next(damaged.Count)));
                    break;
            }
        }

        return [.. damaged];
    }

    private static RecordedStream Stream(string name) => RecordedStreams.All.Single(stream => stream.Name == name);

    private static void AssertFacts(RecordedStream stream, params Range[] pieces)
    {
        var facts = stream.Read(pieces);
        if (!facts.Equals(stream.Facts))
        {
            Assert.Equal(RecordedStream.Describe(stream.Facts), RecordedStream.Describe(facts));
        }
    }
}
