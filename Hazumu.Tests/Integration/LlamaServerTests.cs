using System.Net;
using System.Net.Http.Json;
using Hazumu.Hosting.LlamaServer;
using Hazumu.Testing;

namespace Hazumu.Tests.Integration;

/// <summary>An engine on every machine: each API answers through the gateway, and Prometheus has its tokens.</summary>
public sealed class LlamaServerTests(LlamaServerBackend backend) : IClassFixture<LlamaServerBackend>
{
    private static readonly object[] s_messages = [new { role = "user", content = "Hello" }];

    // Two scrapes, and some time for a slow machine.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(90);

    public static TheoryData<string> Paths => ["api/generate", "api/chat", "v1/chat/completions", "v1/messages"];

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Each_API_answers_through_the_gateway_and_its_tokens_are_counted(string path)
    {
        backend.SkipIfMissing(Component.LlamaServer, Component.Prometheus);
        var before = await CountTokensAsync();

        using var answer = await backend.Http.PostAsJsonAsync(
            new Uri(backend.Url(Component.Gateway), path),
            path == "api/generate" ? new { model = TinyModel.Name, prompt = "Hello" } : (object)new { model = TinyModel.Name, messages = s_messages, max_tokens = 20 });

        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{answer.StatusCode}: {body}");
        Assert.NotEqual("", body);
        await Wait.UntilAsync("the tokens in Prometheus", s_limit, async () => Assert.True(await CountTokensAsync() > before, "No further token was counted."), () => backend.LogAsync(Component.Gateway));
    }

    [Fact]
    public async Task The_engines_own_metrics_are_scraped()
    {
        backend.SkipIfMissing(Component.LlamaServer, Component.Prometheus);

        await Wait.UntilAsync("the scrape of llama-server", s_limit, async () =>
        {
            var target = Assert.Single(await backend.Prometheus.GetTargetsAsync(), target => target.Job == "llamaserver");
            Assert.Equal(("llamaserver", "up", ""), (target.Instance, target.Health, target.LastError));
        });
        Assert.NotEmpty(await backend.Prometheus.QueryAsync("""{__name__="llamacpp:prompt_tokens_total"}"""));
    }

    private async Task<double> CountTokensAsync() => (await backend.Prometheus.QueryAsync("""sum(hazumu_gateway_key_tokens_total{type="output"})""")).Select(sample => sample.Value).SingleOrDefault();
}
