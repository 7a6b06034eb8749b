using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;

namespace Hazumu.Gateway.Pipeline.Management;

/// <summary>
/// The progress of one operation at several instances, as one stream of Ollama's lines: a layer is as far as the slowest instance has it,
/// and a status is reported when every instance has reached it.
/// </summary>
/// <remarks>Source of the lines: Ollama's <c>api.ProgressResponse</c>: <c>status</c>, <c>digest</c>, <c>total</c>, <c>completed</c>.</remarks>
/// <param name="count">How many instances take part.</param>
internal sealed class CombinedProgress(int count)
{
    private readonly Lock _lock = new();
    private readonly Channel<byte[]> _lines = Channel.CreateUnbounded<byte[]>(new() { SingleReader = true });
    private readonly List<Step> _steps = [];
    private readonly bool[] _ended = new bool[count];

    /// <summary>The combined lines, each with its line break.</summary>
    public ChannelReader<byte[]> Lines => _lines.Reader;

    /// <summary>Takes in a line of one instance.</summary>
    /// <param name="instance">The instance's index.</param>
    /// <param name="line">Its line; one without a status is passed over.</param>
    public void Report(int instance, JsonElement line)
    {
        if (line.ValueKind != JsonValueKind.Object || !line.TryGetProperty("status", out var status) || status.ValueKind != JsonValueKind.String)
        {
            return;
        }

        lock (_lock)
        {
            var digest = line.TryGetProperty("digest", out var named) && named.ValueKind == JsonValueKind.String ? named.GetString() : null;
            var step = _steps.Find(known => known.Digest == digest && (digest is not null || known.Status == status.GetString()));
            if (step is null)
            {
                _steps.Add(step = new Step(status.GetString()!, digest, count));
            }

            step.Total = Math.Max(step.Total, Number(line, "total"));
            step.Reached[instance] = Math.Max(step.Reached[instance], digest is null ? 0 : Number(line, "completed"));
            WriteChanged();
        }
    }

    /// <summary>An instance has ended, well or not: the others no longer wait for it.</summary>
    public void End(int instance)
    {
        lock (_lock)
        {
            _ended[instance] = true;
            WriteChanged();
            if (_ended.All(ended => ended))
            {
                _lines.Writer.Complete();
            }
        }
    }

    private void WriteChanged()
    {
        foreach (var step in _steps)
        {
            var slowest = long.MaxValue;
            for (var instance = 0; instance < count; instance++)
            {
                slowest = Math.Min(slowest, _ended[instance] ? step.Total : step.Reached[instance]);
            }

            if (slowest > step.Written || (step.Digest is not null && step.Written < 0 && step.Reached.Any(reached => reached >= 0)))
            {
                step.Written = Math.Max(0, slowest);
                _lines.Writer.TryWrite(step.Line());
            }
        }
    }

    private static long Number(JsonElement line, string property) =>
        line.TryGetProperty(property, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : 0;

    private sealed class Step(string status, string? digest, int count)
    {
        public string Status { get; } = status;

        public string? Digest { get; } = digest;

        public long Total { get; set; }

        /// <summary>Bytes that each instance has; -1 where it has not reached this step.</summary>
        public long[] Reached { get; } = Enumerable.Repeat(-1L, count).ToArray();

        public long Written { get; set; } = -1;

        public byte[] Line()
        {
            var buffer = new ArrayBufferWriter<byte>(128);
            using (var json = new Utf8JsonWriter(buffer))
            {
                json.WriteStartObject();
                json.WriteString("status", Status);
                if (Digest is not null)
                {
                    json.WriteString("digest", Digest);
                    json.WriteNumber("total", Total);
                    json.WriteNumber("completed", Written);
                }

                json.WriteEndObject();
            }

            return [.. buffer.WrittenSpan, (byte)'\n'];
        }
    }
}
