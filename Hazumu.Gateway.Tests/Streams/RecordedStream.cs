using System.Text;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>An answer as an engine sends it, and what is in it.</summary>
/// <param name="Name">What it is.</param>
/// <param name="ContentType">Its content type.</param>
/// <param name="Dialect">Its dialect.</param>
/// <param name="Text">Its body.</param>
/// <param name="Facts">What a tap must read in it.</param>
internal sealed record RecordedStream(string Name, string ContentType, Dialect Dialect, string Text, StreamFacts Facts)
{
    public byte[] Bytes { get; } = Encoding.UTF8.GetBytes(Text);

    /// <summary>What a tap reads when the body comes in these pieces.</summary>
    public StreamFacts Read(params IEnumerable<Range> pieces)
    {
        var tap = StreamTap.For(ContentType, Dialect);
        StreamFacts facts = default;
        foreach (var piece in pieces)
        {
            tap.Observe(Bytes.AsSpan(piece), ref facts);
        }

        tap.Complete(ref facts);
        return facts;
    }

    /// <summary>Facts as text, so that a failed comparison shows which one differs.</summary>
    public static string Describe(StreamFacts facts) =>
        string.Join(Environment.NewLine, typeof(StreamFacts).GetFields().Select(field => $"{field.Name} = {field.GetValue(facts)}"));

    public override string ToString() => Name;
}
