using System.Collections.Concurrent;
using System.Net;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>One of three instances is killed under load.</summary>
public sealed class KillTests
{
    [Fact]
    public async Task No_request_that_had_not_begun_to_stream_is_lost_and_all_counts_add_up()
    {
        const int Clients = 60;
        var options = new MockEngineOptions { Parallel = 8, Tokens = 6, TokenTime = TimeSpan.FromMilliseconds(8), PrefillTime = TimeSpan.FromMilliseconds(10) };
        var engines = new List<MockEngine>();
        for (var engine = 0; engine < 3; engine++)
        {
            engines.Add(await MockEngine.StartAsync(options));
            await engines[^1].LoadAsync("mock");
        }

        try
        {
            await using var gateway = await TestGateway.StartAsync(
                engines.Select((engine, number) => ($"{number}", engine.Address)), "--Gateway:Slots=8", "--Gateway:Retries:BudgetPercent=100");
            var (whole, broken) = (0, 0);
            var wrong = new ConcurrentBag<string>();
            using var enough = new CancellationTokenSource();
            var clients = Enumerable.Range(0, Clients).Select(async client =>
            {
                for (var request = 0; !enough.IsCancellationRequested; request++)
                {
                    try
                    {
                        using var answer = await gateway.Http.BeginAsync(body: Ask.Body($"{client} {request}"));
                        var text = await answer.Content.ReadAsStringAsync();
                        if (answer.StatusCode != HttpStatusCode.OK || !text.Contains("\"done\":true", StringComparison.Ordinal))
                        {
                            wrong.Add($"{(int)answer.StatusCode} {text}");
                        }

                        Interlocked.Increment(ref whole);
                    }
                    catch (HttpRequestException)
                    {
                        // Nobody takes half an answer for a whole one. That it had begun, as the gateway counts it, is asserted below: the reset
                        // may overtake its first bytes on the way here.
                        Interlocked.Increment(ref broken);
                    }
                }
            }).ToList();
            foreach (var engine in engines)
            {
                await engine.WaitUntilAsync(engine => engine.Inferences().Count > 30);
            }

            await engines[1].KillAsync();
            var after = Volatile.Read(ref whole);
            await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref whole) > after + 300));
            await enough.CancelAsync();
            await Task.WhenAll(clients);

            Assert.Empty(wrong);
            Assert.InRange(broken, 0, 8);
            await gateway.Measured.RequestsAsync(whole + broken);
            Assert.Equal(whole, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
            Assert.Equal(broken, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_truncated")));

            // What the engines have answered is what the clients have; the rest is what was broken off, and what was made again.
            var seen = engines.SelectMany(engine => engine.Inferences()).ToList();
            await Wait.UntilAsync(() => Assert.DoesNotContain(seen, request => request.Outcome == MockOutcome.Running));
            Assert.Equal(whole, seen.Count(request => request.Outcome == MockOutcome.Answered));
            await gateway.MeasuresAsync(whole * options.Tokens, "gen_ai.client.inference.usage.output_tokens");
            await Wait.UntilAsync(() => Assert.Equal(whole, gateway.Measured.Of("gen_ai.server.time_to_first_token").Count));
            Assert.InRange(seen.Count, whole + broken, whole + broken + gateway.Measured.Sum("hazumu.gateway.retries"));
            Assert.Equal((0, 0, 0), (gateway.Measured.Now("hazumu.gateway.in_flight"), gateway.Measured.Now("hazumu.gateway.queued"), gateway.Measured.Now("hazumu.gateway.slots.used")));
            Assert.All(engines, engine => Assert.InRange(engine.Statistics.Models["mock:latest"].MaxInFlight, 1, 8));
        }
        finally
        {
            foreach (var engine in engines)
            {
                await engine.DisposeAsync();
            }
        }
    }
}
