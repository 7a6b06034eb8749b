namespace Hazumu.Gateway.Keys;

/// <summary>Has the store look for changes once a second, so that a revoked key stops working within two.</summary>
internal sealed class KeyFileWatcher(KeyStore store, TimeProvider time) : BackgroundService
{
    private const int SaveEvery = 60;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var seconds = 0;
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            store.Refresh();
            if (++seconds % SaveEvery == 0)
            {
                await store.SaveUsesAsync(stoppingToken);
            }
        }
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await store.SaveUsesAsync(cancellationToken);
    }
}
