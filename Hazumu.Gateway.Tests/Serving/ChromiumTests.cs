using System.Diagnostics;
using System.Globalization;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A page in a real browser uses a gateway with two instances and keys; what it sees, it posts to its own server.</summary>
public sealed class ChromiumTests
{
    // As Debian's package chromium has it.
    private const string Program = "/usr/bin/chromium";

    private const string Key = "the-key-of-a-page-in-a-browser-0123456789";

    // Each step tells the status and what a page reads of the answer, or the name of the error that it gets in place of one.
    private const string Page = """
        <!doctype html><script type="module">
        const gateway = "GATEWAY", key = { Authorization: "Bearer KEY" }, json = { "Content-Type": "application/json" };
        const chat = JSON.stringify({ model: "mock", stream: true, messages: [{ role: "user", content: "hi" }] });
        const seen = {};
        async function step(name, path, options, read) {
          try {
            const answer = await fetch(gateway + path, options);
            seen[name] = `${answer.status} ${await read(answer)}`;
          } catch (error) {
            seen[name] = error.name;
          }
        }
        async function lines(answer) {
          const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
          let text = "";
          for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            text += value;
          }
          return text.trim().split("\n").map(line => JSON.parse(line).done).join();
        }
        await step("root", "/", {}, answer => answer.text());
        await step("list", "/api/tags", { headers: key }, async answer => (await answer.json()).models.map(model => model.name).join());
        await step("openai list", "/v1/models", { headers: key }, async answer => (await answer.json()).data.map(model => model.id).join());
        await step("stream", "/api/chat", { method: "POST", headers: { ...key, ...json }, body: chat }, lines);
        await step("anthropic", "/v1/messages", { method: "POST", headers: { "x-api-key": "KEY", "anthropic-version": "2023-06-01", ...json }, body: JSON.stringify({ model: "mock", max_tokens: 5, messages: [{ role: "user", content: "hi" }] }) }, async answer => (await answer.json()).type);
        await step("id", "/api/version", { headers: { ...key, "X-Request-Id": "of-the-page" } }, async answer => answer.headers.get("X-Request-Id"));
        await step("no key", "/api/tags", {}, async answer => (await answer.json()).error);
        await step("wrong key", "/v1/chat/completions", { method: "POST", headers: { Authorization: "Bearer wrong", ...json }, body: chat }, async answer => (await answer.json()).error.message);
        await step("bad body", "/api/chat", { method: "POST", headers: { ...key, ...json }, body: "{" }, async answer => "error" in await answer.json());
        await fetch("/seen", { method: "POST", headers: json, body: JSON.stringify(seen) });
        </script>
        """;

    public ChromiumTests() => Assert.SkipUnless(File.Exists(Program), $"there is no {Program}: install the package chromium");

    [Fact]
    public async Task A_page_of_an_allowed_origin_lists_streams_and_sees_errors()
    {
        var seen = await OpenAsync("localhost");

        Assert.Equal("200 Ollama is running", seen["root"]);
        Assert.Equal("200 mock:latest", seen["list"]);
        Assert.Equal("200 mock:latest", seen["openai list"]);
        Assert.Matches("^200 (false,)+true$", seen["stream"]);
        Assert.Equal("200 message", seen["anthropic"]);
        Assert.Equal("200 of-the-page", seen["id"]);
        Assert.StartsWith("401 This gateway needs an API key", seen["no key"], StringComparison.Ordinal);
        Assert.Equal("401 The API key is not valid.", seen["wrong key"]);
        Assert.Equal("400 true", seen["bad body"]);
    }

    [Fact]
    public async Task A_page_of_another_allowed_origin_is_one_of_the_settings()
    {
        var seen = await OpenAsync("chat.example", "--Gateway:AllowedOrigins=http://chat.example:*");

        Assert.Equal("200 mock:latest", seen["list"]);
        Assert.Matches("^200 (false,)+true$", seen["stream"]);
    }

    [Fact]
    public async Task A_page_of_a_foreign_origin_reads_nothing()
    {
        var seen = await OpenAsync("evil.example");

        Assert.Equal(9, seen.Count);
        Assert.All(seen.Values, value => Assert.Equal("TypeError", value));
    }

    /// <summary>Opens the page under a host name in a browser.</summary>
    /// <returns>What it has seen, by step.</returns>
    private static async Task<Dictionary<string, string>> OpenAsync(string host, params string[] arguments)
    {
        await using var one = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], Tokens = 4 });
        await using var two = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock")], Tokens = 4 });
        await using var gateway = await TestGateway.StartAsync(
            [("one", one.Address), ("two", two.Address)], ["--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:page:Key={Key}", "--Gateway:Keys:Configured:page:Scopes=infer,read", .. arguments]);

        var seen = new TaskCompletionSource<Dictionary<string, string>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var pages = builder.Build();
        var html = Page.Replace("GATEWAY", gateway.Address.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal).Replace("KEY", Key, StringComparison.Ordinal);
        pages.MapGet("/", () => Results.Content(html, "text/html"));
        pages.MapPost("/seen", (Dictionary<string, string> steps) => seen.TrySetResult(steps));
        await pages.StartAsync();

        var profile = Directory.CreateTempSubdirectory("hazumu-chromium-");
        using var chromium = Process.Start(new ProcessStartInfo(Program)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            ArgumentList =
            {
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--no-proxy-server",
                $"--user-data-dir={profile.FullName}",
                "--host-resolver-rules=MAP *.example 127.0.0.1",
                string.Create(CultureInfo.InvariantCulture, $"http://{host}:{new Uri(pages.Urls.First()).Port}/"),
            },
        })!;
        try
        {
            var said = chromium.StandardError.ReadToEndAsync();
            _ = chromium.StandardOutput.ReadToEndAsync();
            var first = await Task.WhenAny(seen.Task, chromium.WaitForExitAsync(), Task.Delay(TimeSpan.FromSeconds(120)));
            Assert.True(first == seen.Task, $"The page reported nothing. Chromium: {(chromium.HasExited ? await said : "still runs")}");
            return await seen.Task;
        }
        finally
        {
            chromium.Kill(entireProcessTree: true);
            await chromium.WaitForExitAsync();
            await RemoveAsync(profile);
        }
    }

    // Helpers of the browser's may write for a moment after its end.
    private static Task RemoveAsync(DirectoryInfo folder) => Wait.UntilAsync(() => Assert.Null(Record.Exception(() =>
    {
        if (Directory.Exists(folder.FullName))
        {
            folder.Delete(recursive: true);
        }
    })));
}
