using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Usage;

/// <summary>Reads from the store of usage what budgets have used: at the start, after a change of the settings, and when this gateway begins to lead others.</summary>
/// <remarks>
/// The store knows a request once it has ended and is written, the ledger only if a budget was there when it began. So the store is read again
/// after 1, 4, 16… seconds, then about once an hour: requests that ran during a read count in the end.
/// </remarks>
internal sealed partial class BudgetLoader(
    UsageStore store, GatewaySettings settings, Budgets budgets, BudgetLedger ledger, TimeProvider time, ILogger<BudgetLoader> logger) : BackgroundService
{
    /// <summary>How long requests wait for the store at the start.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private const int Growth = 4;

    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longPause = TimeSpan.FromHours(1);

    private volatile TaskCompletionSource _wake = CreateWake();
    private volatile bool _hasFailed;

    /// <summary>Reads the use of this month. If that fails, it is tried again in the background until it succeeds.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (!await TryLoadAsync(cancellationToken))
        {
            Wake();
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        settings.Changed += _ => Wake();
        using var patience = new CancellationTokenSource(Patience, time);
        using var late = patience.Token.Register(ledger.SetReady);
        var pause = s_pause;
        while (!stoppingToken.IsCancellationRequested)
        {
            // Before the read, which may be too early for what wakes this then.
            var wake = _wake = CreateWake();
            if (await TryLoadAsync(stoppingToken))
            {
                ledger.SetReady();
            }
            else
            {
                pause = s_pause;
            }

            await wake.Task.WaitAsync(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = wake.Task.IsCompleted ? s_pause : pause < s_longPause ? pause * Growth : pause;
        }
    }

    private static TaskCompletionSource CreateWake() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Wake() => _wake.TrySetResult();

    private async Task<bool> TryLoadAsync(CancellationToken cancellationToken)
    {
        if (!store.IsEnabled || !budgets.HasAny)
        {
            return true;
        }

        try
        {
            ledger.Learn(await store.ReadBudgetsAsync(store.Calendar.DayOf(time.GetUtcNow()), budgets.HasUsers, cancellationToken));
            _hasFailed = false;
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "The use of budgets cannot be read; it is tried again each second, and meanwhile budgets count what this gateway has seen. {Reason}")]
    private partial void LogFailed(string reason);
}
