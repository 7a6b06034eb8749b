namespace Hazumu.Gateway.Keys;

/// <summary>Has the store look for changes once a second, so that a revoked key stops working within two.</summary>
internal sealed class KeyFileWatcher(KeyStore store, TimeProvider time) : BackgroundService
{
    private const int SaveEvery = 60;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private Task _saving = Task.CompletedTask;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var seconds = 0;
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            store.Refresh();
            if (++seconds % SaveEvery == 0 && _saving.IsCompleted)
            {
                // Beside the loop: a file system that hangs must not keep a revoked key working.
                await _saving;
                _saving = Task.Run(() => store.SaveUsesAsync(stoppingToken), stoppingToken);
            }
        }
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await _saving.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await store.SaveUsesAsync(cancellationToken);
    }
}
