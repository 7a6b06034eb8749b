namespace Hazumu.Gateway.Upstreams;

/// <summary>Reports when the engine has released a request that was broken off: until then its slot is busy.</summary>
/// <remarks>
/// <c>SocketsHttpHandler</c> breaks a request off by disposing its connection, in a callback of the cancellation, which runs in the execution
/// context of the request. So the connection finds the release of the request that it served.
/// </remarks>
internal sealed class UpstreamRelease
{
    private static readonly AsyncLocal<UpstreamRelease?> s_current = new();

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isBrokenOff;
    private volatile bool _hasBegun;

    /// <summary>The release of the request that this code runs for, if it was broken off; else <see langword="null"/>.</summary>
    public static UpstreamRelease? Current => s_current.Value is { _isBrokenOff: true } release ? release : null;

    /// <summary>Completes when the engine has closed the connection, or immediately if the request had none.</summary>
    public Task Task => _hasBegun ? _ended.Task : Task.CompletedTask;

    /// <summary>Ties the release to the request that the calling method sends.</summary>
    public void Attach() => s_current.Value = this;

    /// <summary>Breaks the request off by cancelling it.</summary>
    public void BreakOff(CancellationTokenSource cancel) => BreakOff(cancel, static cancel => cancel.Cancel());

    /// <summary>
    /// Breaks the request off by giving up an answer that was not read to its end: between two reads a cancellation disposes of no connection.
    /// </summary>
    public void BreakOff(HttpResponseMessage response) => BreakOff(response, static response => response.Dispose());

    /// <summary>A connection waits for the engine.</summary>
    public void Begin() => _hasBegun = true;

    /// <summary>The engine has closed the connection.</summary>
    public void End() => _ended.TrySetResult();

    private void BreakOff<T>(T broken, Action<T> breakOff)
    {
        // A callback that was registered without its context runs in this one.
        var outer = s_current.Value;
        (s_current.Value, _isBrokenOff) = (this, true);
        try
        {
            breakOff(broken);
        }
        finally
        {
            s_current.Value = outer;
        }
    }
}
