using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Usage;

/// <summary>Takes the records of requests that have ended, and stores many at a time, once a second.</summary>
/// <remarks>
/// A request never waits for the store and never fails because of it. While the store is away, records wait in memory, <see cref="Capacity"/>
/// at most; further ones are lost and counted, as is one that the store refuses for what is in it. A gateway that is killed loses the records of its last second.
/// </remarks>
internal sealed partial class UsageWriter(UsageStore store, GatewaySettings settings, TimeProvider time, IMeterFactory meters, ILogger<UsageWriter> logger) : BackgroundService
{
    /// <summary>The most records that wait.</summary>
    public const int Capacity = 65_536;

    private const int Batch = 1024;

    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_deletionInterval = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_lastFlush = TimeSpan.FromSeconds(10);

    private readonly ConcurrentQueue<UsageRecord> _records = new();
    private readonly List<(long Id, UsageRecord Record)> _batch = [];
    private Counter<long>? _dropped;
    private int _waiting;
    private bool _isUp = true;
    private DateTimeOffset _deleted;

    // Of a later start they are higher, and no other gateway has the same.
    private long _lastId = (time.GetUtcNow().ToUnixTimeMilliseconds() << 22) + Random.Shared.Next(1 << 22);

    /// <summary>Takes a record. Neither blocks nor throws.</summary>
    public void Add(in UsageRecord record)
    {
        if (!store.IsEnabled)
        {
            return;
        }

        if (Interlocked.Increment(ref _waiting) > Capacity)
        {
            Interlocked.Decrement(ref _waiting);
            _dropped?.Add(1);
            return;
        }

        _records.Enqueue(record);
    }

    /// <inheritdoc/>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        if (!store.IsEnabled)
        {
            return Task.CompletedTask;
        }

        var meter = meters.Create(TelemetryOptions.MeterName);
        _dropped = meter.CreateCounter<long>("hazumu.gateway.usage.dropped", "{record}", "Records of usage that were lost because the store did not take them in time, or refused them.");
        _dropped.Add(0);
        meter.CreateObservableGauge("hazumu.gateway.usage.up", () => _isUp ? 1 : 0, description: "Whether the store of usage took what it was given last: 1, else 0.");
        return base.StartAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (!store.IsEnabled)
        {
            return;
        }

        // By now the server has stopped, and with it the requests.
        await base.StopAsync(cancellationToken);
        using var limit = new CancellationTokenSource(s_lastFlush, time);
        await FlushAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_waiting > 0)
        {
            LogLost(_waiting);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        do
        {
            await FlushAsync(stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (Fill())
            {
                try
                {
                    await store.AddAsync(_batch, cancellationToken);
                }
                catch (Exception error) when (UsageStore.IsRejection(error))
                {
                    await AddSinglyAsync(cancellationToken);
                }

                Interlocked.Add(ref _waiting, -_batch.Count);
                _batch.Clear();
                ReportUp();
            }

            if (time.GetUtcNow() - _deleted >= s_deletionInterval)
            {
                await store.DeleteAsync(time.GetUtcNow() - TimeSpan.FromDays(settings.Current.Usage.RetentionDays), cancellationToken);
                _deleted = time.GetUtcNow();
                ReportUp();
            }
        }
#pragma warning disable CA1031 // Whatever it is, requests are served without it, and the records are tried again.
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            if (_isUp)
            {
                LogOutage(error.Message);
            }

            _isUp = false;
        }
    }

    // One record that is refused must not keep the others from being stored.
    private async Task AddSinglyAsync(CancellationToken cancellationToken)
    {
        while (_batch.Count > 0)
        {
            try
            {
                await store.AddAsync([_batch[^1]], cancellationToken);
            }
            catch (Exception error) when (UsageStore.IsRejection(error))
            {
                _dropped?.Add(1);
                LogRejected(_batch[^1].Record.RequestId, error.Message);
            }

            _batch.RemoveAt(_batch.Count - 1);
            Interlocked.Decrement(ref _waiting);
        }
    }

    // A batch that could not be stored is tried again as it was.
    private bool Fill()
    {
        while (_batch.Count < Batch && _records.TryDequeue(out var record))
        {
            _batch.Add((++_lastId, record));
        }

        return _batch.Count > 0;
    }

    private void ReportUp()
    {
        if (!_isUp)
        {
            LogUp();
        }

        _isUp = true;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Usage cannot be stored; it waits in memory, and is tried again each second. {Reason}")]
    private partial void LogOutage(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store of usage refuses the record of the request '{Request}'; it is lost. {Reason}")]
    private partial void LogRejected(string? request, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Usage is stored again.")]
    private partial void LogUp();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The gateway stops, and {Count} records of usage could not be stored; they are lost.")]
    private partial void LogLost(int count);
}
