namespace Hazumu.Gateway.Keys;

/// <summary>Reports to the requests of a key that it has been revoked or has expired.</summary>
#pragma warning disable CA1001 // Not disposed: a request may still register, and without a timer the source holds nothing but memory.
internal sealed class KeyRevocation
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _source = new();

    /// <summary>Cancelled when the key is revoked or has expired.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Whether requests that run may finish. Valid once <see cref="Token"/> is cancelled.</summary>
    public bool LetsRunningFinish { get; private set; }

    /// <summary>Revokes the key. The callbacks of its requests run elsewhere.</summary>
    public void Revoke(bool letRunningFinish)
    {
        if (!_source.IsCancellationRequested)
        {
            LetsRunningFinish = letRunningFinish;
            _ = _source.CancelAsync();
        }
    }
}
