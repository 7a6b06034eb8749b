namespace Hazumu.Gateway.Telemetry;

/// <summary>Standard output: the access log and the program's log, line by line in one order. Writers never wait for its reader.</summary>
internal sealed class StandardOutput : IDisposable
{
    public StandardOutput()
        : this(System.Console.OpenStandardOutput())
    {
    }

    internal StandardOutput(Stream output) => Lines = new LineWriter(output, lines => Dropped?.Invoke(lines));

    /// <summary>Takes the lines.</summary>
    public LineWriter Lines { get; }

    /// <summary>Counts lines that are lost because the reader is too slow or gone.</summary>
    public Action<int>? Dropped { get; set; }

    public void Dispose() => Lines.Dispose();
}
