using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Usage;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Usage;

public sealed class UsageStoreTests : IDisposable
{
    private static readonly DateTimeOffset s_noon = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryFolder _folder = new();
    private readonly UsageCalendar _calendar = new("Asia/Tokyo");
    private long _lastId;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Records_are_added_up_by_key_and_model()
    {
        await using var store = Open();
        await AddAsync(
            store,
            Record() with { InputTokens = 10, CachedTokens = 4, OutputTokens = 5, Decode = 0.5 },
            Record() with { InputTokens = 1, CachedTokens = 0, OutputTokens = 2, Decode = 0.25, Outcome = "client_disconnect" },
            Record() with { Key = "bob", Model = "b" });

        var report = await ReadAsync(store, ("by", "key,model"));

        Assert.Equal(
            ["alice,a,2,1,11,4,7,,,,0.75", "bob,b,1,0,,,,,,,"],
            UsageFormat.ToCsv(report).Split("\r\n", StringSplitOptions.RemoveEmptyEntries)[1..]);
    }

    [Fact]
    public async Task Days_begin_in_the_time_zone()
    {
        await using var store = Open();
        await AddAsync(
            store,
            Record() with { Started = new(2026, 11, 30, 14, 59, 59, TimeSpan.Zero) },
            Record() with { Started = new(2026, 11, 30, 15, 0, 0, TimeSpan.Zero) },
            Record() with { Started = new(2026, 12, 1, 14, 59, 59, TimeSpan.Zero) });

        var days = await ReadAsync(store, ("by", "day"), ("from", "2026-11-01"), ("to", "2026-12-31"));
        var december = await ReadAsync(store, ("by", "month"), ("from", "2026-12-01"), ("to", "2026-12-01"));

        Assert.Equal(["2026-11-30 1", "2026-12-01 2"], days.Rows.Select(row => $"{row.By[0]} {row.Requests}"));
        Assert.Equal(["2026-12 2"], december.Rows.Select(row => $"{row.By[0]} {row.Requests}"));
    }

    [Fact]
    public async Task A_batch_that_is_stored_twice_counts_once()
    {
        await using var store = Open();
        List<(long, UsageRecord)> batch = [.. Enumerable.Range(0, 300).Select(number => ((long)number, Record()))];

        await store.AddAsync(batch, default);
        await store.AddAsync(batch, default);

        Assert.Equal(300, Assert.Single((await ReadAsync(store)).Rows).Requests);
    }

    [Fact]
    public async Task Old_records_are_deleted()
    {
        await using var store = Open();
        await AddAsync(store, Record() with { Started = s_noon - TimeSpan.FromDays(3) }, Record());

        await store.DeleteAsync(s_noon - TimeSpan.FromDays(2), default);

        Assert.Equal(1, Assert.Single((await ReadAsync(store, ("from", "2026-11-01"))).Rows).Requests);
    }

    [Fact]
    public async Task A_report_is_bounded_and_says_so()
    {
        await using var store = Open();
        await AddAsync(store, Record(), Record() with { Key = "bob", InputTokens = 7 }, Record() with { Key = "carol" });

        var two = await ReadAsync(store, ("by", "key"), ("limit", "2"));
        var three = await ReadAsync(store, ("by", "key"), ("limit", "3"));

        Assert.True(two.IsTruncated);
        Assert.Equal("bob", two.Rows[0].By[0]);
        Assert.False(three.IsTruncated);
        Assert.Equal(3, three.Rows.Count);
    }

    [Theory]
    [InlineData("=1+1", "'=1+1")]
    [InlineData("@x", "'@x")]
    [InlineData("-2", "'-2")]
    [InlineData("a,\"b\"", "\"a,\"\"b\"\"\"")]
    [InlineData("a\0b", "ab")]
    public async Task A_text_of_a_client_stays_a_text(string model, string cell)
    {
        await using var store = Open();
        await AddAsync(store, Record() with { Model = model });

        var csv = UsageFormat.ToCsv(await ReadAsync(store, ("by", "model")));

        Assert.Equal($"{cell},1,0,,,,,,,", csv.Split("\r\n")[1]);
    }

    [Theory]
    [InlineData("by", "key,color", "color")]
    [InlineData("from", "yesterday", "yesterday")]
    [InlineData("limit", "0", "10000")]
    [InlineData("color", "red", "color")]
    public void A_wrong_parameter_is_named(string name, string value, string sentence) =>
        Assert.Contains(
            sentence,
            Assert.Throws<UsageQueryException>(() => UsageQuery.Parse(new Dictionary<string, string> { [name] = value }, _calendar, s_noon)).Message,
            StringComparison.Ordinal);

    [Fact]
    public async Task The_file_is_its_owners_alone()
    {
        await using var store = Open();
        await AddAsync(store, Record());

        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File("new/usage.db")));
        }
    }

    [Fact]
    public async Task End_users_are_read_for_budgets_of_theirs_only()
    {
        await using var store = Open();
        await AddAsync(store, Record() with { KeyId = "1", EndUser = "carol" }, Record() with { KeyId = "1", EndUser = "dave" });
        var day = _calendar.DayOf(s_noon);

        var (all, withoutUsers) = (await store.ReadBudgetsAsync(day, withUsers: true, default), await store.ReadBudgetsAsync(day, withUsers: false, default));

        Assert.Equal(3, all.Count);
        Assert.Equal(("key:1", 2), (Assert.Single(withoutUsers).Id, withoutUsers[0].DayRequests));
        Assert.Contains(all[0], withoutUsers);
    }

    private UsageStore Open() => new(new UsageOptions { File = _folder.File("new/usage.db") }, _calendar);

    private Task AddAsync(UsageStore store, params UsageRecord[] records) => store.AddAsync([.. records.Select(record => (++_lastId, record))], default);

    private Task<UsageReport> ReadAsync(UsageStore store, params (string Name, string Value)[] parameters) =>
        store.ReadAsync(UsageQuery.Parse(parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value), _calendar, s_noon + TimeSpan.FromHours(2)), default);

    private static UsageRecord Record() => new()
    {
        Started = s_noon,
        RequestId = "1",
        Key = "alice",
        Operation = "chat",
        Model = "a",
        Total = 1,
        Outcome = "success",
        Status = 200,
    };
}
