using System.Diagnostics;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A request for a model that another request makes an instance load.</summary>
public sealed class ColdLoadTests
{
    // Far apart, so that a busy machine does not blur them: what the answer takes is never waited for.
    private static readonly TimeSpan s_load = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_answer = TimeSpan.FromSeconds(40);

    public static TheoryData<int, int, string, bool> All()
    {
        var data = new TheoryData<int, int, string, bool>();
        foreach (var (slots, instances) in new[] { (1, 2), (2, 1), (2, 2), (4, 1), (4, 2) })
        {
            data.Add(slots, instances, Ask.Native, true);
            data.Add(slots, instances, Ask.OpenAI, false);
        }

        data.Add(2, 1, "/api/generate", true);
        data.Add(2, 1, Ask.Anthropic, false);
        data.Add(2, 1, Ask.Anthropic, true);
        data.Add(2, 1, "/v1/completions", false);
        data.Add(2, 1, "/api/embed", false);
        data.Add(2, 1, "/v1/embeddings", false);
        return data;
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_request_waits_for_the_load_and_not_for_the_answer(int slots, int instances, string path, bool isStreamed)
    {
        var engines = await Task.WhenAll(Enumerable.Range(0, instances).Select(_ => MockEngine.StartAsync(new()
        {
            LoadTime = s_load,
            Parallel = slots,
            Tokens = 2,
            TokenTime = s_answer,
        })));
        try
        {
            await using var gateway = await TestGateway.StartAsync(
                engines.Select((engine, index) => ($"engine{index}", engine.Address)), $"--Gateway:Slots={slots}");
            using var leave = new CancellationTokenSource();

            // As Open WebUI asks for a title, not streamed, beside a first chat.
            var watch = Stopwatch.StartNew();
            var title = gateway.Http.ChatAsync(Ask.Native, Ask.Body(streams: false), cancellationToken: leave.Token);
            await engines[0].WaitUntilAsync(_ => engines.Sum(engine => engine.Statistics.InFlight) == 1);

            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative))
            {
                Content = new StringContent($$"""{"model":"mock","messages":[{"role":"user","content":"x"}],"prompt":"x","input":"x","max_tokens":1,"options":{"num_predict":1},"stream":{{(isStreamed ? "true" : "false")}} }"""),
            };
            var began = gateway.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
            await MoreThanAnswersAsync(engines, 2);

            // It is with an engine, in a slot of its own, long before the first has been answered.
            Assert.InRange(watch.Elapsed, TimeSpan.Zero, s_answer / 4);
            Assert.False(title.IsCompleted);
            Assert.Equal(slots == 1 ? 2 : 1, engines.Sum(engine => engine.Statistics.ColdLoads));
            if (isStreamed || path.Contains("embed", StringComparison.Ordinal))
            {
                using var answer = await began;
                Assert.True(answer.IsSuccessStatusCode);
                Assert.InRange(watch.Elapsed, s_load, s_answer / 4);
            }

            await leave.CancelAsync();
            await Task.WhenAny(title);
            await Task.WhenAny(began);
        }
        finally
        {
            foreach (var engine in engines)
            {
                await engine.DisposeAsync();
            }
        }
    }

    // As many requests have reached a slot, or have been answered from one.
    private static Task MoreThanAnswersAsync(MockEngine[] engines, int count) => engines[0].WaitUntilAsync(_ =>
        engines.Sum(engine => engine.Requests.Count(request => request.Model is not null && request.Phase is MockPhase.Prefill or MockPhase.Streaming or MockPhase.Ended)) == count);
}
