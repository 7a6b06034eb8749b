using System.Globalization;
using System.Text;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>An answer as it came over the wire.</summary>
/// <param name="Status">Its status.</param>
/// <param name="Headers">Its headers in their order.</param>
/// <param name="Body">Its body, without the framing of chunks.</param>
/// <param name="Chunks">Sizes of its chunks.</param>
/// <param name="Trailers">Its trailers.</param>
internal sealed record RawAnswer(int Status, IReadOnlyList<(string Name, string Value)> Headers, byte[] Body, IReadOnlyList<int> Chunks, IReadOnlyList<(string Name, string Value)> Trailers)
{
    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>A header's value; <see langword="null"/> where there is none.</summary>
    public string? this[string name] => Headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value).FirstOrDefault();

    public override string ToString() => $"{Status}\n{string.Join('\n', Headers.Select(header => $"{header.Name}: {header.Value}"))}\n\n{Text}";
}

/// <summary>Reads messages of HTTP/1.1 from a stream, strictly.</summary>
internal sealed class RawReader(Stream stream)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    /// <summary>Reads a line without its end; <see langword="null"/> where there is no more.</summary>
    public async Task<string?> ReadLineAsync(CancellationToken cancellationToken = default)
    {
        var line = new List<byte>();
        while (true)
        {
            if (_start == _end && !await FillAsync(cancellationToken))
            {
                return line.Count == 0 ? null : throw new EndOfStreamException($"The connection ended within the line '{Encoding.Latin1.GetString([.. line])}'.");
            }

            var end = Array.IndexOf(_buffer, (byte)'\n', _start, _end - _start);
            var stop = end < 0 ? _end : end;
            line.AddRange(_buffer.AsSpan(_start, stop - _start));
            _start = end < 0 ? stop : stop + 1;
            if (end >= 0)
            {
                return Encoding.Latin1.GetString([.. line]).TrimEnd('\r');
            }
        }
    }

    /// <summary>Reads as many bytes.</summary>
    public async Task<byte[]> ReadAsync(long count, CancellationToken cancellationToken = default)
    {
        var bytes = new byte[count];
        for (var read = 0; read < count;)
        {
            if (_start == _end && !await FillAsync(cancellationToken))
            {
                throw new EndOfStreamException($"The connection ended after {read} of {count} bytes.");
            }

            var taken = (int)Math.Min(count - read, _end - _start);
            _buffer.AsSpan(_start, taken).CopyTo(bytes.AsSpan(read));
            _start += taken;
            read += taken;
        }

        return bytes;
    }

    /// <summary>Reads what there is, at least a byte; nothing where there is no more.</summary>
    public async Task<byte[]> ReadSomeAsync(CancellationToken cancellationToken = default)
    {
        if (_start == _end && !await FillAsync(cancellationToken))
        {
            return [];
        }

        var bytes = _buffer.AsSpan(_start, _end - _start).ToArray();
        _start = _end;
        return bytes;
    }

    /// <summary>Reads until the other side ends.</summary>
    public async Task<byte[]> ReadToEndAsync(CancellationToken cancellationToken = default)
    {
        var all = new List<byte>();
        while (await ReadSomeAsync(cancellationToken) is { Length: > 0 } some)
        {
            all.AddRange(some);
        }

        return [.. all];
    }

    /// <summary>Reads the first line and the headers.</summary>
    public async Task<(string First, IReadOnlyList<(string Name, string Value)> Headers)?> ReadHeadAsync(CancellationToken cancellationToken = default) =>
        await ReadLineAsync(cancellationToken) is { } first ? (first, await ReadHeadersAsync(cancellationToken)) : null;

    /// <summary>Reads the size of the next chunk; 0 is the last.</summary>
    public async Task<int> ReadChunkSizeAsync(CancellationToken cancellationToken = default) =>
        int.Parse((await ReadLineAsync(cancellationToken) ?? throw new EndOfStreamException("The connection ended before the last chunk.")).Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>Reads the line after a chunk.</summary>
    public async Task ReadChunkEndAsync(CancellationToken cancellationToken = default) => Assert.Equal("", await ReadLineAsync(cancellationToken));

    /// <summary>Reads headers or trailers.</summary>
    public async Task<IReadOnlyList<(string Name, string Value)>> ReadHeadersAsync(CancellationToken cancellationToken = default)
    {
        var headers = new List<(string, string)>();
        while (await ReadLineAsync(cancellationToken) is { Length: > 0 } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            headers.Add((line[..colon], line[(colon + 1)..].Trim()));
        }

        return headers;
    }

    /// <summary>Reads a body as its headers tell.</summary>
    public async Task<(byte[] Body, IReadOnlyList<int> Chunks, IReadOnlyList<(string Name, string Value)> Trailers)> ReadBodyAsync(
        IReadOnlyList<(string Name, string Value)> headers, bool untilEnd, CancellationToken cancellationToken = default)
    {
        if (Find("Transfer-Encoding") is not null)
        {
            var body = new List<byte>();
            var chunks = new List<int>();
            while (await ReadChunkSizeAsync(cancellationToken) is > 0 and var size)
            {
                chunks.Add(size);
                body.AddRange(await ReadAsync(size, cancellationToken));
                await ReadChunkEndAsync(cancellationToken);
            }

            return ([.. body], chunks, await ReadHeadersAsync(cancellationToken));
        }

        if (Find("Content-Length") is { } length)
        {
            return (await ReadAsync(long.Parse(length, CultureInfo.InvariantCulture), cancellationToken), [], []);
        }

        return (untilEnd ? await ReadToEndAsync(cancellationToken) : [], [], []);

        string? Find(string name) => headers.Where(header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(header => header.Value).FirstOrDefault();
    }

    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        _start = 0;
        _end = await stream.ReadAsync(_buffer, cancellationToken);
        return _end > 0;
    }
}
