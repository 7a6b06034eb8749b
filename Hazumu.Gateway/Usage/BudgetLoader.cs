namespace Hazumu.Gateway.Usage;

/// <summary>Reads from the store of usage what budgets have used, at the start and when this gateway begins to lead others.</summary>
internal sealed partial class BudgetLoader(UsageStore store, Budgets budgets, BudgetLedger ledger, TimeProvider time, ILogger<BudgetLoader> logger) : BackgroundService
{
    /// <summary>How long requests wait for the store at the start.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private bool _hasFailed;

    /// <summary>Reads the use of this month.</summary>
    /// <returns>Whether it could be read.</returns>
    public async Task<bool> LoadAsync(CancellationToken cancellationToken)
    {
        if (!store.IsEnabled || !budgets.HasAny)
        {
            return true;
        }

        try
        {
            ledger.Learn(await store.ReadBudgetsAsync(store.Calendar.DayOf(time.GetUtcNow()), cancellationToken));
            return true;
        }
#pragma warning disable CA1031 // Requests are served, and counted in memory, without it.
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            if (!_hasFailed)
            {
                LogFailed(error.Message);
            }

            _hasFailed = true;
            return false;
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var began = time.GetTimestamp();
        while (!await LoadAsync(stoppingToken))
        {
            if (time.GetElapsedTime(began) >= Patience)
            {
                ledger.SetReady();
            }

            await Task.Delay(s_pause, time, stoppingToken);
        }

        ledger.SetReady();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The use of budgets cannot be read; it is tried again each second, and meanwhile budgets count from the start of this gateway. {Reason}")]
    private partial void LogFailed(string reason);
}
