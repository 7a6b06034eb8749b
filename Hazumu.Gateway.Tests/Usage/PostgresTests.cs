using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Usage;
using Hazumu.Testing;
using Npgsql;

namespace Hazumu.Gateway.Tests.Usage;

/// <summary>Usage and budgets in PostgreSQL.</summary>
public sealed class PostgresTests
{
    private const string Alice = "the-key-of-somebody-alice";
    private const string Usage = "/hazumu/usage?format=csv&by=day,month,key,model,outcome";

    [Fact]
    public async Task Several_gateways_share_a_database_and_outlast_its_restart()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("password"), PostgresServer.Password + "\n");
        await using var database = await PostgresServer.StartAsync();
        await using var engine = HeldEngine.Start();
        string[] arguments =
        [
            $"--Gateway:Usage:Database={database.Database}",
            $"--Gateway:Usage:PasswordFile={folder.File("password")}",
            $"--Gateway:Keys:Configured:alice:Key={Alice}",
            "--Gateway:Budgets:EachKey:RequestsPerDay=3",
        ];
        await using var one = await TestGateway.StartAsync(engine.Address, arguments);
        engine.Release(10);
        Assert.Equal(200, (await one.Http.ChatAsync(key: Alice)).Status);
        await HasAsync(one, ",alice,mock,success,1,0,1,0,1,");

        await database.StopAsync();
        Assert.Equal(200, (await one.Http.ChatAsync(key: Alice)).Status);
        await Wait.UntilAsync(() => Assert.Contains(one.Logged, line => line.Contains("Usage cannot be stored", StringComparison.Ordinal)), TimeSpan.FromSeconds(20));
        Assert.Equal(503, (await one.Http.AnswerAsync(HttpMethod.Get, Usage)).Status);
        await database.RestartAsync();
        await HasAsync(one, ",alice,mock,success,2,0,2,0,2,");

        await using var two = await TestGateway.StartAsync(engine.Address, arguments);
        await HasAsync(two, ",alice,mock,success,2,0,2,0,2,");
        Assert.Equal((200, 429), ((await two.Http.ChatAsync(key: Alice)).Status, (await two.Http.ChatAsync(key: Alice)).Status));
    }

    [Fact]
    public async Task A_text_of_a_client_is_stored_whatever_it_is()
    {
        await using var database = await PostgresServer.StartAsync();
        var calendar = new UsageCalendar("Asia/Tokyo");
        await using var store = new UsageStore(new() { Database = database.Database, Password = PostgresServer.Password }, calendar);
        var record = new UsageRecord { Started = DateTimeOffset.UtcNow, RequestId = "1", Key = "a", Operation = "chat", Total = 1, Outcome = "success", Status = 200 };

        await store.AddAsync([(1, record with { Model = "a\0b\ud800" }), (2, record), (3, record with { RequestId = "3", InputTokens = long.MaxValue / 4, Queue = 0.25 })], default);
        await store.AddAsync([(3, record)], default);
        await store.DeleteAsync(DateTimeOffset.UnixEpoch, default);

        var report = await store.ReadAsync(new() { By = ["model", "time", "request"], From = DateTimeOffset.UnixEpoch, To = DateTimeOffset.MaxValue }, default);
        Assert.Equal(3, report.Rows.Count);
        Assert.Contains(report.Rows, row => row.By[0] == "ab\ufffd");
        Assert.Contains(report.Rows, row => row is { InputTokens: long.MaxValue / 4, Queue: 0.25, Load: null });
        Assert.Equal("key:b", Assert.Single(await ReadBudgetsAsync(record with { KeyId = "b", InputTokens = 5 })).Id);

        async Task<IReadOnlyList<BudgetUse>> ReadBudgetsAsync(UsageRecord used)
        {
            await store.AddAsync([(4, used)], default);
            return await store.ReadBudgetsAsync(calendar.DayOf(DateTimeOffset.UtcNow), withUsers: false, default);
        }
    }

    [Fact]
    public async Task A_user_without_the_right_to_create_stores_in_a_table_that_exists()
    {
        await using var database = await PostgresServer.StartAsync();
        var calendar = new UsageCalendar("Asia/Tokyo");
        var record = new UsageRecord { Started = DateTimeOffset.UtcNow, RequestId = "1", Key = "a", Operation = "chat", Total = 1, Outcome = "success", Status = 200 };
        await using (var owner = new UsageStore(new() { Database = database.Database, Password = PostgresServer.Password }, calendar))
        {
            await owner.AddAsync([(1, record)], default);
        }

        await using (var connection = new NpgsqlConnection($"{database.Database};Password={PostgresServer.Password};Pooling=false"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = $"""
                REVOKE CREATE ON SCHEMA public FROM PUBLIC;
                CREATE USER writer PASSWORD '{PostgresServer.Password}';
                GRANT SELECT, INSERT, DELETE ON hazumu_usage TO writer;
                """;
            await command.ExecuteNonQueryAsync();
        }

        await using var store = new UsageStore(
            new() { Database = database.Database.Replace("Username=hazumu", "Username=writer", StringComparison.Ordinal), Password = PostgresServer.Password }, calendar);
        await store.AddAsync([(2, record)], default);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => store.AddAsync([(3, record), (4, record with { Key = null! })], default));

        Assert.True(UsageStore.IsRejection(refused));
        var report = await store.ReadAsync(new() { By = ["key"], From = DateTimeOffset.UnixEpoch, To = DateTimeOffset.MaxValue }, default);
        Assert.Equal(2, Assert.Single(report.Rows).Requests);
    }

    private static Task HasAsync(TestGateway gateway, params string[] rows) => Wait.UntilAsync(
        async () =>
        {
            var csv = await gateway.Http.AnswerAsync(HttpMethod.Get, Usage);
            Assert.All(rows, row => Assert.Contains(row, csv.Text, StringComparison.Ordinal));
        },
        TimeSpan.FromSeconds(30));
}
