namespace Hazumu.Bench.Load;

/// <summary>
/// Finds the time stamps that the engine puts into its tokens (<c>@</c> and 19 digits), wherever a body is cut into pieces.
/// </summary>
internal struct StampReader
{
    private const int Digits = 19;

    private int _missing;
    private long _value;

    /// <summary>Reads up to the end of the next stamp and takes that from <paramref name="bytes"/>; false when there is none to its end.</summary>
    public bool TryRead(ref ReadOnlySpan<byte> bytes, out long stamp)
    {
        stamp = 0;
        if (_missing == 0)
        {
            var start = bytes.IndexOf((byte)'@');
            if (start < 0)
            {
                bytes = default;
                return false;
            }

            bytes = bytes[(start + 1)..];
            _missing = Digits;
            _value = 0;
        }

        var count = Math.Min(_missing, bytes.Length);
        foreach (var digit in bytes[..count])
        {
            _value = (_value * 10) + (digit - '0');
        }

        bytes = bytes[count..];
        _missing -= count;
        stamp = _value;
        return _missing == 0;
    }
}
