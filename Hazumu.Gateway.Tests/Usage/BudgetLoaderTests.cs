using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Management;
using Hazumu.Gateway.Tests.Configuration;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Usage;
using Hazumu.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Usage;

public sealed class BudgetLoaderTests : IAsyncDisposable
{
    private const string Budget = "Budgets:EachKey:TokensPerDay=100";

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 30, 12, 0, 0, TimeSpan.Zero));
    private readonly UsageCalendar _calendar = new("UTC");
    private readonly SettingsFile _file = new();
    private readonly GatewaySettings _settings;
    private readonly UsageStore _store;
    private readonly BudgetLedger _ledger;
    private readonly KeptLog<BudgetLoader> _log = new();
    private readonly BudgetLoader _loader;
    private long _lastId;

    public BudgetLoaderTests()
    {
        _settings = new(() => new ConfigurationBuilder().AddJsonFile(_file.FullPath).Build(), [_file.FullPath], new KeptLog<GatewaySettings>());
        _store = new(new UsageOptions { File = _file.File("usage.db") }, _calendar);
        _ledger = new(_calendar, _time);
        _loader = new(_store, _settings, new Budgets(_settings, _calendar, _time), _ledger, _time, _log);
    }

    public async ValueTask DisposeAsync()
    {
        await _loader.StopAsync(default);
        _loader.Dispose();
        await _store.DisposeAsync();
        _settings.Dispose();
        _file.Dispose();
    }

    [Fact]
    public async Task A_budget_that_a_reload_adds_counts_what_was_used_before()
    {
        await AddAsync(tokens: 30);
        await _loader.StartAsync(default);
        await _ledger.Ready;
        Assert.Empty(_ledger.All());

        Set(Budget);

        // At once, without any time that passes.
        await Wait.UntilAsync(() => AssertUsed(30));
    }

    [Fact]
    public async Task What_is_stored_after_a_read_counts_as_well()
    {
        Set(Budget);
        await AddAsync(tokens: 30);
        await _loader.StartAsync(default);
        await HasAsync(30);

        await AddAsync(tokens: 12);

        await HasAsync(42);
    }

    [Fact]
    public async Task A_leader_that_cannot_read_learns_later()
    {
        Set(Budget);
        await AddAsync(tokens: 1);
        await _loader.StartAsync(default);
        await HasAsync(1);
        await ExecuteAsync("ALTER TABLE hazumu_usage RENAME COLUMN input_tokens TO away");
        await _loader.LoadAsync(default);
        Assert.Contains(_log.Lines, line => line.Message.Contains("cannot be read", StringComparison.Ordinal));

        await ExecuteAsync("ALTER TABLE hazumu_usage RENAME COLUMN away TO input_tokens");
        await AddAsync(tokens: 2);

        await HasAsync(3);
    }

    [Fact]
    public async Task Requests_do_not_wait_longer_for_a_store_that_blocks()
    {
        Set(Budget);
        await using var blocker = await BlockAsync();
        await _loader.StartAsync(default);

        await Wait.UntilAsync(() =>
        {
            _time.Advance(BudgetLoader.Patience);
            Assert.True(_ledger.Ready.IsCompleted);
        });

        // The first read still runs.
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task A_report_does_not_hold_the_thread_of_the_connection()
    {
        await using var blocker = await BlockAsync();

        var answer = new UsageReads(_store, _time).HandleAsync(new DefaultHttpContext());

        Assert.False(answer.IsCompleted);
        await blocker.DisposeAsync();
        await answer;
    }

    private void Set(string setting)
    {
        _file.Set(setting);
        _settings.ReloadIfChanged();
    }

    private Task AddAsync(long tokens) => _store.AddAsync(
        [(++_lastId, new UsageRecord
        {
            Started = _time.GetUtcNow(),
            RequestId = "1",
            KeyId = "a",
            Key = "alice",
            Operation = "chat",
            OutputTokens = tokens,
            Total = 1,
            Outcome = "success",
            Status = 200,
        })],
        default);

    private Task HasAsync(long tokens) => Wait.UntilAsync(() =>
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        AssertUsed(tokens);
    });

    private void AssertUsed(long tokens)
    {
        var use = Assert.Single(_ledger.All());
        Assert.Equal(("key:a", tokens), (use.Id, use.DayTokens));
    }

    private async Task<SqliteConnection> BlockAsync()
    {
        var connection = new SqliteConnection($"Data Source={_file.File("usage.db")};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "BEGIN EXCLUSIVE";
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    private async Task ExecuteAsync(string text)
    {
        await using var connection = new SqliteConnection($"Data Source={_file.File("usage.db")};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = text;
        await command.ExecuteNonQueryAsync();
    }
}
