using System.Collections.Concurrent;
using System.Net.Http.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>Production's form with two gateways, in front of an engine that counts; Prometheus is all that it has beside.</summary>
public sealed class SeveralGatewaysBackend : ProductionBackend
{
    /// <summary>Requests that the engine may run at once.</summary>
    public const int Slots = 3;

    /// <summary>How many gateways there are.</summary>
    public const int Gateways = 2;

    /// <summary>The engine.</summary>
    public CountingEngine Engine { get; private set; } = null!;

    /// <inheritdoc/>
    public override IReadOnlyList<Component> Components => [.. base.Components.Where(component => component == Component.Gateway || component == Component.Prometheus)];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> Files => [.. base.Files, "docker-compose.cluster.yaml"];

    /// <summary>The gateways' containers that run.</summary>
    public async Task<IReadOnlyList<string>> FindGatewaysAsync() =>
        (await ComposeAsync(["ps", "--quiet", "gateway"])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>What a gateway says that it measures.</summary>
    /// <param name="container">Its container.</param>
    /// <param name="metric">A metric without labels of its own.</param>
    public static async Task<double> MetricAsync(string container, string metric)
    {
        var metrics = await ContainerCli.RunOrThrowAsync("exec", container, "wget", "-q", "-O", "-", "http://127.0.0.1:8081/metrics");
        return double.Parse(metrics.Split('\n').Single(line => line.StartsWith($"{metric}{{", StringComparison.Ordinal)).Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until both run, one admits, and Prometheus knows that.</summary>
    public Task WaitForAllAsync() => Wait.UntilAsync("two gateways that know each other, and a Prometheus that knows them", TimeSpan.FromSeconds(90), async () =>
    {
        var gateways = await FindGatewaysAsync();
        Assert.Equal(Gateways, gateways.Count);
        foreach (var gateway in gateways)
        {
            Assert.Equal(Gateways - 1, await MetricAsync(gateway, "hazumu_gateway_peers"));
        }

        var targets = await QueryAsync("up{job=\"gateway\"} == 1");
        Assert.Equal(Gateways, targets.Select(target => target.GetProperty("metric").GetProperty("instance").GetString()).Distinct().Count());
        Assert.All(targets, target => Assert.Matches("^gateway@[0-9.]+$", target.GetProperty("metric").GetProperty("instance").GetString()));
        Assert.Equal("1", Assert.Single(await QueryAsync("sum(hazumu_gateway_admits)")).GetProperty("value")[1].GetString());
        Assert.Equal(Gateways, (await QueryAsync($"hazumu_gateway_peers == {Gateways - 1}")).Count);
    });

    public override async Task StopAsync()
    {
        await base.StopAsync();
        if (Engine is not null)
        {
            await Engine.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    protected override string MoreServices => $$"""
          gateway:
            extra_hosts: ["engine:host-gateway"]
            environment: { ConnectionStrings__ollama: "Endpoint=http://engine:{{Engine.Port}}" }

        """;

    protected override async Task PrepareAsync()
    {
        Engine = await CountingEngine.StartAsync();
        await base.PrepareAsync();
    }

    protected override Dictionary<string, string?> Environment()
    {
        var environment = base.Environment();
        environment["Hazumu__Ollama__Parallel"] = $"{Slots}";
        return environment;
    }
}

/// <summary>What clients see of two gateways behind the edge, also when one is killed.</summary>
public sealed class SeveralGatewaysTests(SeveralGatewaysBackend backend) : IClassFixture<SeveralGatewaysBackend>
{
    private const int Clients = 8;

    [Fact]
    public async Task A_key_created_or_revoked_at_one_gateway_is_so_at_the_other()
    {
        backend.SkipIfMissing();

        await backend.WaitForAllAsync();
        var gateways = await backend.FindGatewaysAsync();

        var created = await ContainerCli.RunOrThrowAsync("exec", gateways[0], "/app/Hazumu.Gateway", "keys", "create", "shared");
        var key = ProductionBackend.FindKey(created);
        await AssertAnswersAsync("200");
        await ContainerCli.RunOrThrowAsync("exec", gateways[1], "/app/Hazumu.Gateway", "keys", "revoke", "shared");
        await AssertAnswersAsync("401");

        Task AssertAnswersAsync(string status) => Wait.UntilAsync($"both to answer {status}", TimeSpan.FromSeconds(10), async () =>
        {
            foreach (var gateway in gateways)
            {
                var answer = await ContainerCli.RunAsync("exec", gateway, "wget", "-S", "-O", "/dev/null", "--header", $"x-api-key: {key}", "http://127.0.0.1:8080/api/tags");
                Assert.Contains($"HTTP/1.1 {status}", answer.Output, StringComparison.Ordinal);
            }
        });
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("stop")]
    public async Task The_end_of_the_one_that_admits_costs_what_it_had_and_nothing_else(string how)
    {
        backend.SkipIfMissing();

        await backend.WaitForAllAsync();
        var gateways = await backend.FindGatewaysAsync();
        var admits = await SeveralGatewaysBackend.MetricAsync(gateways[0], "hazumu_gateway_admits") == 1 ? gateways[0] : gateways[1];
        var other = gateways.Single(gateway => gateway != admits);

        using var enough = new CancellationTokenSource();
        var requests = new ConcurrentBag<Request>();
        var clients = Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => AskAsync(requests, enough.Token)));
        await Wait.UntilAsync(() => Assert.True(requests.Count >= Clients, $"{requests.Count} requests have been answered."), TimeSpan.FromSeconds(30));
        var before = DateTimeOffset.UtcNow;
        await ContainerCli.RunOrThrowAsync(how, admits);
        var after = DateTimeOffset.UtcNow;
        await Wait.UntilAsync("the other to admit", TimeSpan.FromSeconds(10), async () => Assert.Equal(1, await SeveralGatewaysBackend.MetricAsync(other, "hazumu_gateway_admits")));
        await Wait.UntilAsync(() => Assert.True(requests.Count(request => request.Began > after) >= 2 * Clients, "Too few requests are answered."), TimeSpan.FromSeconds(30));
        await enough.CancelAsync();
        await clients;

        var failed = requests.Where(request => request.Failure is not null).ToList();
        Assert.All(failed, request => Assert.True(request.Began <= after && request.Ended >= before, $"{request} was not under way when the gateway ended ({before:O} to {after:O})."));
        Assert.True(how == "stop" || failed.Count > 0, "The gateway that was killed had nothing to do.");
        Assert.Contains(requests, request => request.Failure is null && request.Began < before && request.Ended > after);
        var later = requests.Where(request => request.Began > after).ToList();
        Assert.InRange(later.Count, Clients, int.MaxValue);
        // Three turns of a second, a second until the other admits, and two that an address may be tried at which nobody is any more.
        Assert.InRange(later.Max(request => request.Ended - request.Began), TimeSpan.Zero, TimeSpan.FromSeconds(12));
        Assert.Equal(SeveralGatewaysBackend.Slots, backend.Engine.Most);

        // It comes back as the youngest.
        await ContainerCli.RunOrThrowAsync("start", admits);
        await backend.WaitForAllAsync();
        Assert.Equal(1, await SeveralGatewaysBackend.MetricAsync(other, "hazumu_gateway_admits"));
    }

    private async Task AskAsync(ConcurrentBag<Request> requests, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            var began = DateTimeOffset.UtcNow;
            string? failure;
            try
            {
                using var answer = await backend.SendAsync(HttpMethod.Post, "api/generate", JsonContent.Create(new { model = CountingEngine.Model, prompt = "Hello" }));
                var text = await answer.Content.ReadAsStringAsync(CancellationToken.None);
                failure = answer.IsSuccessStatusCode && text.Contains("\"done\":true", StringComparison.Ordinal) ? null : $"{(int)answer.StatusCode} {text}";
            }
            catch (Exception broken) when (broken is HttpRequestException or IOException)
            {
                failure = broken.Message;
            }

            requests.Add(new(began, DateTimeOffset.UtcNow, failure));
        }
    }

    private sealed record Request(DateTimeOffset Began, DateTimeOffset Ended, string? Failure);
}
