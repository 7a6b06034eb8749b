using System.Globalization;
using System.Net;
using System.Text.Json;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Usage;
using Hazumu.Testing;
using Microsoft.Data.Sqlite;

namespace Hazumu.Gateway.Tests.Usage;

/// <summary>What becomes of the usage of requests, by HTTP and over restarts.</summary>
public sealed class UsageTests : IAsyncLifetime
{
    private const string Path = "/hazumu/usage";
    private const string Alice = "the-key-of-somebody-alice";
    private const string Admin = "the-key-of-somebody-admin";

    private readonly TemporaryFolder _folder = new();
    private readonly HeldEngine _engine = HeldEngine.Start();

    private string[] Arguments =>
    [
        $"--Gateway:Usage:File={_folder.File("usage.db")}",
        "--Gateway:Keys:Required=true",
        "--Gateway:Keys:File=/nonexistent/keys.json",
        $"--Gateway:Keys:Configured:alice:Key={Alice}",
        $"--Gateway:Keys:Configured:admin:Key={Admin}",
        "--Gateway:Keys:Configured:admin:Scopes=admin",
    ];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_request_is_found_in_usage_to_the_token()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, Arguments);
        _engine.Release(2);
        var answer = await gateway.Http.ChatAsync(key: Alice);
        await gateway.Http.ChatAsync(key: Alice);

        await HasAsync(gateway.Http, 2);
        var json = JsonSerializer.Deserialize<JsonElement>((await gateway.Http.AnswerAsync(HttpMethod.Get, $"{Path}?by=request,key,model,engine,outcome&request={answer["X-Request-Id"]}", key: Admin)).Text);
        var row = Assert.Single(json.GetProperty("rows").EnumerateArray());

        Assert.Equal(
            (answer["X-Request-Id"], "alice", "mock", "engine", "success"),
            (Text("request"), Text("key"), Text("model"), Text("engine"), Text("outcome")));
        Assert.Equal((1, 1, 1), (row.GetProperty("requests").GetInt32(), row.GetProperty("input_tokens").GetInt32(), row.GetProperty("output_tokens").GetInt32()));

        var csv = await gateway.Http.AnswerAsync(HttpMethod.Get, $"{Path}?by=key&format=csv", key: Admin);
        Assert.Equal("text/csv; charset=utf-8", csv["Content-Type"]);
        Assert.StartsWith("key,requests,failed,input_tokens,cached_tokens,output_tokens,queue_s,load_s,prefill_s,decode_s\r\nalice,2,0,2,0,2,", csv.Text, StringComparison.Ordinal);

        string? Text(string name) => row.GetProperty(name).GetString();
    }

    [Fact]
    public async Task Usage_needs_the_scope_admin_and_the_right_parameters()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, Arguments);

        (await gateway.Http.AnswerAsync(HttpMethod.Get, Path)).IsRefusal("/api/", HttpStatusCode.Unauthorized, "", "needs an API key");
        (await gateway.Http.AnswerAsync(HttpMethod.Get, Path, key: Alice)).IsRefusal("/api/", HttpStatusCode.Forbidden, "", "admin");
        (await gateway.Http.AnswerAsync(HttpMethod.Get, $"{Path}?by=color", key: Admin)).IsRefusal("/api/", HttpStatusCode.BadRequest, "", "'by' has 'color'");
        (await gateway.Http.AnswerAsync(HttpMethod.Get, $"{Path}?format=xml", key: Admin)).IsRefusal("/api/", HttpStatusCode.BadRequest, "", "csv");
    }

    [Fact]
    public async Task A_gateway_without_a_store_says_so()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address);

        (await gateway.Http.AnswerAsync(HttpMethod.Get, Path)).IsRefusal("/api/", HttpStatusCode.NotFound, "", "Gateway:Usage:File");
    }

    [Fact]
    public async Task What_is_refused_without_a_key_is_no_usage()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, Arguments);
        _engine.Release();

        Assert.Equal(401, (await gateway.Http.ChatAsync()).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: Alice)).Status);

        await HasAsync(gateway.Http, 1);
    }

    [Fact]
    public async Task The_last_requests_are_stored_when_the_gateway_stops()
    {
        await using (var gateway = await TestGateway.StartAsync(_engine.Address, Arguments))
        {
            _engine.Release(3);
            for (var number = 0; number < 3; number++)
            {
                Assert.Equal(200, (await gateway.Http.ChatAsync(key: Alice)).Status);
            }
        }

        await using var next = await TestGateway.StartAsync(_engine.Address, Arguments);
        Assert.Equal(3, await CountAsync(next.Http));
    }

    [Fact]
    public async Task A_kill_takes_the_last_second_at_most()
    {
        await using (var gateway = await TestGatewayProcess.StartAsync(_engine.Address, Arguments))
        {
            _engine.Release(5);
            for (var number = 0; number < 5; number++)
            {
                Assert.Equal(200, (await gateway.Http.ChatAsync(key: Alice)).Status);
            }

            await HasAsync(gateway.Http, 5);
            await gateway.KillAsync();
        }

        await using var next = await TestGateway.StartAsync(_engine.Address, Arguments);
        Assert.Equal(5, await CountAsync(next.Http));
    }

    [Fact]
    public async Task A_store_that_is_locked_delays_no_request_and_loses_none()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, Arguments);
        _engine.Release(2);
        await gateway.Http.ChatAsync(key: Alice);
        await HasAsync(gateway.Http, 1);

        await using (var other = new SqliteConnection($"Data Source={_folder.File("usage.db")}"))
        {
            await other.OpenAsync();
            await using var held = other.BeginTransaction();
            Assert.Equal(200, (await gateway.Http.ChatAsync(key: Alice)).Status);
            await Wait.UntilAsync(() => Assert.Contains(gateway.Logged, line => line.Contains("Usage cannot be stored", StringComparison.Ordinal)), TimeSpan.FromSeconds(30));
            Assert.Single(gateway.Logged, line => line.Contains("Usage cannot be stored", StringComparison.Ordinal));
        }

        await HasAsync(gateway.Http, 2);
        Assert.Contains(gateway.Logged, line => line.Contains("Usage is stored again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_record_that_is_refused_or_a_lost_table_loses_no_other_record()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, Arguments);
        gateway.Service<UsageWriter>().Add(new() { Started = DateTimeOffset.UtcNow, RequestId = "bad", Key = null!, Operation = "chat", Total = 1, Outcome = "success", Status = 200 });
        _engine.Release(2);
        await gateway.Http.ChatAsync(key: Alice);
        await HasAsync(gateway.Http, 1);
        Assert.Single(gateway.Logged, line => line.Contains("refuses the record of the request 'bad'", StringComparison.Ordinal));

        await using (var database = new SqliteConnection($"Data Source={_folder.File("usage.db")};Pooling=false"))
        {
            await database.OpenAsync();
            await using var drop = database.CreateCommand();
            drop.CommandText = "DROP TABLE hazumu_usage";
            await drop.ExecuteNonQueryAsync();
        }

        await gateway.Http.ChatAsync(key: Alice);
        await HasAsync(gateway.Http, 1);
    }

    [Fact]
    public async Task A_store_that_cannot_be_created_stops_nothing()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, "--Gateway:Usage:File=/proc/no/usage.db");
        _engine.Release();

        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
        await Wait.UntilAsync(() => Assert.Contains(gateway.Logged, line => line.Contains("Usage cannot be stored", StringComparison.Ordinal)));
        Assert.Equal(503, (await gateway.Http.AnswerAsync(HttpMethod.Get, Path)).Status);
    }

    [Fact]
    public async Task A_second_gateway_may_use_the_same_file()
    {
        await using var one = await TestGateway.StartAsync(_engine.Address, Arguments);
        await using var two = await TestGateway.StartAsync(_engine.Address, Arguments);
        _engine.Release(20);

        await Task.WhenAll(Enumerable.Range(0, 20).Select(number => (number % 2 == 0 ? one : two).Http.ChatAsync(key: Alice)));

        await HasAsync(one.Http, 20);
        await HasAsync(two.Http, 20);
    }

    [Theory]
    [InlineData("--Gateway:Usage:Password=a", "no 'Database'")]
    [InlineData("--Gateway:Budgets:EachKey:TokensPerDay=5", "Gateway:Usage:File")]
    [InlineData("--Gateway:Usage:File=a.db --Gateway:Budgets:EachKey:TokensPerDay=0", "1000000000000000")]
    [InlineData("--Gateway:Usage:Database=Host=b;Password=c", "PasswordFile")]
    [InlineData("--Gateway:Usage:Database=Database=b", "no 'Host'")]
    [InlineData("--Gateway:Usage:Database=nothing", "no connection string")]
    [InlineData("--Gateway:Usage:TimeZone=Mars", "Asia/Tokyo")]
    public async Task Wrong_settings_are_refused_before_the_start(string arguments, string sentence)
    {
        var (exitCode, _, error) = await TestGatewayProcess.RunAsync(arguments.Split(' '));

        Assert.NotEqual(0, exitCode);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_reads_the_same_store()
    {
        await using var gateway = await TestGateway.StartAsync(_engine.Address, Arguments);
        _engine.Release();
        await gateway.Http.ChatAsync(key: Alice);
        await HasAsync(gateway.Http, 1);
        using var output = new StringWriter();
        using var error = new StringWriter();

        var code = await UsageCommand.RunAsync(["usage", "--by", "key", "--csv"], new() { File = _folder.File("usage.db") }, output, error, TimeProvider.System);
        var wrong = await UsageCommand.RunAsync(["usage", "--by", "color"], new() { File = _folder.File("usage.db") }, output, error, TimeProvider.System);

        Assert.Equal((0, 2), (code, wrong));
        Assert.Contains("alice,1,0,1,0,1,", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("'by' has 'color'", error.ToString(), StringComparison.Ordinal);
    }

    private static Task HasAsync(HttpClient http, int requests) => Wait.UntilAsync(async () => Assert.Equal(requests, await CountAsync(http)), TimeSpan.FromSeconds(20));

    private static async Task<int> CountAsync(HttpClient http)
    {
        var csv = await http.AnswerAsync(HttpMethod.Get, $"{Path}?format=csv&key=alice", key: Admin);
        Assert.True(csv.Status == 200, $"{csv}");
        return int.Parse(csv.Text.Split("\r\n")[1].Split(',')[0], CultureInfo.InvariantCulture);
    }
}
