using System.Diagnostics;
using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A queue, short or long, over HTTP.</summary>
public sealed class FairnessTests : IDisposable
{
    private const string Greedy = "the-key-of-somebody-greedy";
    private const string Modest = "the-key-of-somebody-modest";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_key_with_two_hundred_requests_waiting_does_not_starve_another()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(
            engine.Address, "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:greedy:Key={Greedy}", $"--Gateway:Keys:Configured:modest:Key={Modest}", $"--Gateway:Keys:File={_folder.File("none")}");
        var greedy = Enumerable.Range(0, 201).Select(_ => gateway.Http.ChatAsync(body: Ask.Body("greedy"), key: Greedy)).ToList();
        await engine.HoldsAsync(1);
        await gateway.WaitsAsync(200);
        var modest = Enumerable.Range(0, 3).Select(_ => gateway.Http.ChatAsync(body: Ask.Body("modest"), key: Modest)).ToList();
        await gateway.WaitsAsync(203);

        engine.Release(8);
        await Task.WhenAll(modest).WaitAsync(TimeSpan.FromSeconds(20));

        // Each in turn with one of the other key's.
        Assert.Equal(["greedy", "greedy", "modest", "greedy", "modest", "greedy", "modest"], engine.Asked.Take(7).Select(asked => asked.Contains("modest", StringComparison.Ordinal) ? "modest" : "greedy"));
        engine.Release(300);
        Assert.All(await Task.WhenAll(greedy), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(1, engine.Most);
    }

    [Fact]
    public async Task Ten_thousand_queued_HTTP2_requests_survive_a_reload_of_the_settings()
    {
        const int Crowd = 10_000;
        var file = _folder.File("settings.json");
        await File.WriteAllTextAsync(file, """{"Gateway":{"Slots":1,"Queue":{"Limit":100}}}""");
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(
            engine.Address, $"--Gateway:SettingsFile={file}", "--Kestrel:Endpoints:h2c:Url=http://127.0.0.1:0", "--Kestrel:Endpoints:h2c:Protocols=Http2");
        using var http = new HttpClient(new SocketsHttpHandler { EnableMultipleHttp2Connections = true, UseProxy = false })
        {
            BaseAddress = gateway.Address,
            Timeout = TimeSpan.FromMinutes(2),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        var scheduler = gateway.Service<Scheduler>();

        // A longer queue is in force for those who wait already, and for who comes.
        await ReplaceAsync(file, $$$"""{"Gateway":{"Slots":1,"Queue":{"Limit":{{{Crowd}}} } } }""");
        gateway.Service<GatewaySettings>().ReloadIfChanged();
        var watch = Stopwatch.StartNew();
        var asked = new List<Task<ChatAnswer>>(Crowd) { http.ChatAsync(body: Ask.Body("first")) };
        await engine.HoldsAsync(1);
        while (asked.Count < Crowd)
        {
            // No faster than they are taken in: it is the queue that is to be long, not the client's.
            asked.AddRange(Enumerable.Range(asked.Count, 500).TakeWhile(number => number < Crowd).Select(number => http.ChatAsync(body: Ask.Body($"number {number}"))));
            await gateway.WaitsAsync(asked.Count - 1, TimeSpan.FromSeconds(30));
        }

        Assert.Equal((1, Crowd - 1), (engine.Running, scheduler.Waiting));
        var arrived = watch.Elapsed;

        // More slots, for those who wait.
        await ReplaceAsync(file, """{"Gateway":{"Slots":16,"Queue":{"Limit":100}}}""");
        gateway.Service<GatewaySettings>().ReloadIfChanged();
        await engine.HoldsAsync(16);
        Assert.Equal(Crowd - 16, scheduler.Waiting);

        // The shorter queue takes nobody new and sends nobody away.
        var refused = await http.ChatAsync();
        refused.IsRefusal(Ask.Native, HttpStatusCode.ServiceUnavailable, "", "the queue is full");
        refused.TellsWhenToComeBack();

        engine.Release(Crowd);
        var answers = await Task.WhenAll(asked);

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(Enumerable.Range(0, Crowd), answers.Select(answer => int.Parse(answer.Position!, null)).Order());
        Assert.Equal((Crowd, 16, 0), (engine.Answered, engine.Most, scheduler.Waiting));
        Assert.Equal(Crowd, engine.Asked.Distinct().Count());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"They were there after {arrived}, and answered after {watch.Elapsed}.");
    }

    // At once: the gateway looks at the file by itself too, and half of one is an error that it would tell.
    private static async Task ReplaceAsync(string file, string text)
    {
        await File.WriteAllTextAsync($"{file}.new", text);
        File.Move($"{file}.new", file, overwrite: true);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(4, true)]
    public async Task Two_thousand_embeddings_are_answered_and_a_chat_of_another_key_waits_a_turn(int slots, bool isCold)
    {
        const int Crowd = 2_000;
        await using var engine = await MockEngine.StartAsync(new() { Parallel = slots, PrefillTime = TimeSpan.FromMilliseconds(1), LoadTime = TimeSpan.FromMilliseconds(isCold ? 500 : 0), Tokens = 1 });
        if (!isCold)
        {
            await engine.LoadAsync("mock");
        }

        await using var gateway = await TestGateway.StartAsync(
            engine.Address, $"--Gateway:Slots={slots}", $"--Gateway:Connections:PerAddress={2 * Crowd}", "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:greedy:Key={Greedy}", $"--Gateway:Keys:Configured:modest:Key={Modest}", $"--Gateway:Keys:File={_folder.File("none")}");

        var pieces = Enumerable.Range(0, Crowd).Select(number => gateway.Http.ChatAsync("/api/embed", $$"""{"model":"mock","input":"piece {{number}}"}""", Greedy)).ToList();
        await Wait.UntilAsync(() => Assert.True(gateway.Waiting() > Crowd / 4), TimeSpan.FromSeconds(30));
        var chats = new List<ChatAnswer>();
        while (chats.Count < 5)
        {
            chats.Add(await gateway.Http.ChatAsync(key: Modest));
        }

        Assert.All(chats, chat => Assert.Equal(200, chat.Status));
        Assert.All(chats, chat => Assert.InRange(int.Parse(chat.Position!, null), 0, 2));
        Assert.Contains(pieces, piece => !piece.IsCompleted);
        Assert.All(await Task.WhenAll(pieces), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(0, gateway.Waiting());
        Assert.Equal(slots, engine.Statistics.Models["mock:latest"].MaxInFlight);
    }

    [Fact]
    public async Task Two_thousand_queued_requests_can_be_cancelled_at_once()
    {
        const int Crowd = 2_000;
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, $"--Gateway:Queue:Limit={Crowd}", $"--Gateway:Connections:PerAddress={2 * Crowd}");
        var running = gateway.Http.ChatAsync();
        await engine.HoldsAsync(1);

        using var leave = new CancellationTokenSource();
        var waiting = Enumerable.Range(0, Crowd).Select(_ => gateway.Http.ChatAsync(cancellationToken: leave.Token)).ToList();
        await gateway.WaitsAsync(Crowd, TimeSpan.FromSeconds(30));
        await leave.CancelAsync();
        await gateway.WaitsAsync(0, TimeSpan.FromSeconds(20));

        Assert.Equal(1, engine.Running);
        engine.Release();
        Assert.Equal(200, (await running).Status);
        await gateway.Measured.RequestsAsync(Crowd + 1);
        await gateway.MeasuresAsync(Crowd, "hazumu.gateway.disconnects", ("phase", "queue"));
        Assert.Single(engine.Exchanges);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(waiting));
    }
}
