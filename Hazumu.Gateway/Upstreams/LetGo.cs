namespace Hazumu.Gateway.Upstreams;

/// <summary>Tells when the engine has let go of a request that was broken off: until then its slot is busy.</summary>
internal sealed class LetGo
{
    [ThreadStatic]
    private static LetGo? s_current;

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _hasBegun;

    /// <summary>The request that this thread breaks off.</summary>
    public static LetGo? Current => s_current;

    /// <summary>Completes when the engine has closed the connection, or at once where the request had none.</summary>
    public Task Task => _hasBegun ? _ended.Task : Task.CompletedTask;

    /// <summary>Breaks a request off.</summary>
    /// <param name="cancel">Cancels it; connections that this disposes of are watched.</param>
    public void Watch(CancellationTokenSource cancel) => Watch(cancel, static cancel => cancel.Cancel());

    /// <summary>
    /// Gives up an answer that was not read to its end: where it was broken off between two reads, nobody has disposed of its connection yet.
    /// </summary>
    public void Watch(HttpResponseMessage response) => Watch(response, static response => response.Dispose());

    private void Watch<T>(T broken, Action<T> breakOff)
    {
        var outer = s_current;
        s_current = this;
        try
        {
            breakOff(broken);
        }
        finally
        {
            s_current = outer;
        }
    }

    /// <summary>A connection waits for the engine.</summary>
    public void Begin() => _hasBegun = true;

    /// <summary>The engine has closed it.</summary>
    public void End() => _ended.TrySetResult();
}
