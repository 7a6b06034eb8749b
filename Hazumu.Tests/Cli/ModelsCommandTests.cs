using Hazumu.Cli;
using Hazumu.Tests.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Tests.Cli;

/// <summary>The command <c>models</c>.</summary>
public sealed class ModelsCommandTests
{
    private const string Report = """
        {
          "names": [{"name": "gpt-4o-mini", "models": ["qwen3:8b", "qwen3:4b"], "queueLongerThan": 8, "isListed": true}, {"name": "team", "models": ["qwen3:4b"], "queueLongerThan": null, "isListed": false}],
          "pinned": [{"model": "qwen3:8b", "when": "always", "wanted": 2, "loaded": ["a"], "problem": null}, {"model": "qwen3:4b", "when": "07:30 mon-fri", "wanted": 0, "loaded": [], "problem": null}],
          "instances": [
            {"name": "a", "isUp": true, "models": [{"name": "qwen3:4b", "isInMemory": false, "running": 0}, {"name": "qwen3:8b", "isInMemory": true, "running": 2}]},
            {"name": "b", "isUp": false, "models": [{"name": "qwen3:8b", "isInMemory": false, "running": 0}]}
          ],
          "waiting": {"qwen3:8b": 3}
        }
        """;

    [Fact]
    public async Task It_shows_names_and_who_has_which_model()
    {
        await using var gateway = await LocalServer.StartPlainAsync(app => app.MapGet("/models", () => Results.Text(Report, "application/json")));

        var (code, output, error) = await RunAsync("--gateway", $"{gateway.Url}");

        Assert.Equal((0, ""), (code, error));
        Assert.Equal(
            """
            NAME         MODELS               QUEUE      LISTED
            gpt-4o-mini  qwen3:8b → qwen3:4b  8 at most  yes
            team         qwen3:4b             any        no

            PINNED    KEPT           LOADED   AT  PROBLEM
            qwen3:8b  always         1 of 2   a
            qwen3:4b  07:30 mon-fri  not now

            MODEL     INSTANCE  IN MEMORY  RUNNING  WAITING
            qwen3:4b  a         no         0        0
            qwen3:8b  a         yes        2        3
            qwen3:8b  b (down)  no         0        3

            """,
            output,
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public async Task A_gateway_that_does_not_answer_is_a_sentence()
    {
        var (code, output, error) = await RunAsync("--gateway", "http://127.0.0.1:1");

        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith("The gateway's management port does not answer on http://127.0.0.1:1/", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var code = await HazumuCommand.RunAsync(["models", .. args], output, error, _ => null);
        return (code, output.ToString(), error.ToString());
    }
}
