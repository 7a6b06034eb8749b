using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.Playwright;

namespace Hazumu.Gateway.Tests.Console;

/// <summary>The console in a real browser. What its policy forbids, and an error in a page, fails every one of these tests.</summary>
public sealed class ConsoleBrowserTests(Browser browser) : IClassFixture<Browser>
{
    private const string On = "--Gateway:Console:Enabled=true";
    private const string Key = "the-key-of-an-administrator-0123456789";

    [Fact]
    public async Task Request_is_seen_live_and_can_be_cancelled()
    {
        await using var engine = await MockEngine.StartAsync(new() { Models = [new("mock")], Tokens = 100_000, TokenTime = TimeSpan.FromMilliseconds(50) });
        await using var gateway = await TestGateway.StartAsync(engine.Address, On);
        await using var console = await browser.OpenAsync(gateway.Address);
        await console.SeesAsync("No request runs.");

        using var body = new StringContent("""{"model":"mock","messages":[{"role":"user","content":"a secret of a stranger"}]}""");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/chat") { Content = body };
        using var answer = await gateway.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await console.SeesAsync("Decode");
        await Wait.UntilAsync(async () => Assert.NotEqual("0.0", await console.Page.InnerTextAsync("#rate")));
        Assert.DoesNotContain("secret", await console.Page.ContentAsync(), StringComparison.Ordinal);

        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Cancel: anonymous, mock" }).ClickAsync();

        await console.SeesAsync("Cancelled the request of anonymous.");
        await console.SeesAsync("No request runs.");
        await Assert.ThrowsAsync<HttpRequestException>(() => answer.Content.ReadAsStringAsync());
        Assert.Contains(gateway.Logged, line => line.Contains("cancels the request", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Live_page_follows_within_a_second()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, On);
        await using var console = await browser.OpenAsync(gateway.Address);

        var running = gateway.Http.ChatAsync(body: Ask.Body(streams: false));
        await engine.HoldsAsync(1);
        var waited = Stopwatch.StartNew();
        await console.Page.WaitForFunctionAsync("() => document.getElementById('running').textContent === '1'", null, new() { PollingInterval = 20 });

        // Half a second between copies, and as much for a machine that is busy with tests.
        Assert.InRange(waited.ElapsedMilliseconds, 0, 3_000);
        engine.Release();
        await running;
    }

    [Fact]
    public async Task Session_ends_when_its_key_is_revoked()
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-console-");
        var file = Path.Combine(folder.FullName, "keys.json");
        var (text, id, hash) = KeyText.Create();
        await KeyFileEditor.UpdateAsync(file, _ => [new ApiKey { Id = id, Name = "boss", Hash = hash, Scopes = Scope.Admin, Created = DateTimeOffset.UtcNow }], default);
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, On, "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={file}");
        await using var console = await browser.OpenAsync(gateway.Address);
        console.Expected.AddRange(["401", "WebSocket", "_blazor", "connection", "Failed to fetch"]);
        await SignInAsync(console, text);
        await console.SeesAsync("No request runs.");

        await KeyFileEditor.UpdateAsync(file, _ => [], default);

        await console.Page.Locator("form[action=session]").WaitForAsync();
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Wrong_key_is_told_and_a_right_one_signs_in_and_out_by_keyboard()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, KeyArguments());
        await using var console = await browser.OpenAsync(gateway.Address);

        await SignInAsync(console, "wrong");
        await console.SeesAsync("The key is not valid.");
        await SignInAsync(console, Key);
        await console.SeesAsync("No request runs.");

        await FocusAsync(console, "Sign out");
        await console.Page.Keyboard.PressAsync("Enter");
        await console.Page.Locator("form[action=session]").WaitForAsync();
    }

    [Fact]
    public async Task Language_follows_the_browser_and_the_switch()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, On);
        await using var console = await browser.OpenAsync(gateway.Address, language: "ja-JP");
        await console.SeesAsync("実行中のリクエストはありません。");
        Assert.Equal("ja", await console.Page.GetAttributeAsync("html", "lang"));

        foreach (var path in (string[])["/models", "/try"])
        {
            await console.GotoAsync(path);
            Assert.DoesNotMatch("(Model|Prompt|Engine|Send|Load|Pull)s?\\b", await console.Page.InnerTextAsync("h1, h2"));
        }

        await console.Page.GetByRole(AriaRole.Button, new() { Name = "English" }).ClickAsync();
        await console.SeesAsync("Try it");
        Assert.EndsWith("/console/try", console.Page.Url, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Model_is_pulled_with_progress_loaded_unloaded_and_deleted()
    {
        await using var one = await MockEngine.StartAsync(new() { Models = [new("mock")], PullTime = TimeSpan.FromSeconds(3) });
        await using var two = await MockEngine.StartAsync(new() { Models = [new("mock")], PullTime = TimeSpan.FromSeconds(3) });
        await using var gateway = await TestGateway.StartAsync([("one", one.Address), ("two", two.Address)], KeyArguments());
        await using var console = await browser.OpenAsync(gateway.Address);
        await SignInAsync(console, Key);
        await console.GotoAsync("/models");

        await console.Page.FillAsync("#pull-name", "fresh");
        await console.Page.SelectOptionAsync("#pull-target", "*");
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Pull", Exact = true }).ClickAsync();
        await console.SeesAsync("→ two");
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Load: fresh:latest" }).ClickAsync();
        await console.SeesAsync("fresh:latest is in memory.");
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Unload: fresh:latest" }).ClickAsync();
        await console.SeesAsync("fresh:latest has left memory.");

        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Delete: fresh:latest" }).ClickAsync();
        await console.SeesAsync("Delete from one, two?");
        Assert.All(gateway.Fleet.Instances, instance => Assert.True(instance.Stored!.ContainsKey("fresh:latest")));
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Delete", Exact = true }).ClickAsync();
        await console.SeesAsync("fresh:latest is deleted.");
        await Wait.UntilAsync(() => Assert.All(gateway.Fleet.Instances, instance => Assert.False(instance.Stored!.ContainsKey("fresh:latest"))));
        foreach (var action in (string[])["pulls", "loads", "unloads", "deletes"])
        {
            Assert.Contains(gateway.Logged, line => line.Contains("'boss' at", StringComparison.Ordinal) && line.Contains($" {action} the model 'fresh", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Key_is_shown_once_works_and_is_revoked()
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-console-");
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, [.. KeyArguments(), $"--Gateway:Keys:File={Path.Combine(folder.FullName, "keys.json")}"]);
        await using var console = await browser.OpenAsync(gateway.Address);
        await SignInAsync(console, Key);
        await console.GotoAsync("/keys");

        await console.Page.FillAsync("#name", "alice");
        await console.Page.FillAsync("#rpm", "60");
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Create a key" }).ClickAsync();
        var key = await console.Page.InnerTextAsync("#new-key");
        await console.SeesAsync("Requests per minute: 60");
        Assert.Equal(200, await StatusAsync(gateway, key));
        await console.GotoAsync("/keys");
        Assert.DoesNotContain(key, await console.Page.ContentAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(gateway.Logged, line => line.Contains(key, StringComparison.Ordinal));

        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Revoke: alice" }).ClickAsync();
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Revoke", Exact = true }).ClickAsync();
        await console.SeesAsync("The key alice is revoked.");
        Assert.Equal(401, await StatusAsync(gateway, key));
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Prompt_is_answered_with_its_phases_counted_and_limited()
    {
        await using var engine = await MockEngine.StartAsync(new()
        {
            Models = [new("mock")], Tokens = 40, TokenTime = TimeSpan.FromMilliseconds(20), LoadTime = TimeSpan.FromMilliseconds(300), PrefillTime = TimeSpan.FromMilliseconds(100), TokenText = "word ",
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address, [.. KeyArguments(), "--Gateway:Keys:Configured:boss:RequestsPerMinute=1"]);
        await using var console = await browser.OpenAsync(gateway.Address);
        await SignInAsync(console, Key);
        await console.GotoAsync("/try");

        await console.Page.FillAsync("#prompt", "It's <b>me</b>");
        await FocusAsync(console, "Send");
        await console.Page.Keyboard.PressAsync("Enter");
        await console.SeesAsync("26 tokens in, 40 out, by engine");
        Assert.Equal(40, Regex.Count(await console.Page.InnerTextAsync("div.answer"), "word"));
        foreach (var phase in (string[])["load", "prefill", "decode"])
        {
            Assert.Equal(1, await console.Page.Locator($"svg.phases rect.{phase}").CountAsync());
        }

        Assert.Contains("\"It'\\''s <b>me</b>\"", await console.Page.InnerTextAsync("#sample"), StringComparison.Ordinal);
        Assert.Equal(1, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success"), ("key", "boss")));
        Assert.Equal(40, gateway.Measured.Sum("hazumu.gateway.key.tokens", ("key", "boss"), ("type", "output")));

        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await console.SeesAsync("The key 'boss' has reached its limit");
    }

    [Fact]
    public async Task Large_fleet_is_shown_in_pages_and_can_be_filtered()
    {
        var models = Enumerable.Range(0, 400).Select(number => new MockModel($"model-{number:000}")).ToList();
        var port = ClusterGroup.FreePort();
        await using var engines = await MockEngine.StartAsync(new()
        {
            Port = port, Addresses = 64, Models = models, Parallel = 20, Tokens = 1_000_000, TokenTime = TimeSpan.FromSeconds(1), MemoryModels = 400,
        });
        await using var gateway = await TestGateway.StartAsync(
            Enumerable.Range(1, 64).Select(number => ($"gpu-{number:00}", new Uri($"http://127.0.0.{number}:{port}"))),
            On, "--Gateway:Slots=20", "--Gateway:Connections:PerAddress=5000", "--Gateway:Connections:Limit=5000");
        using var end = new CancellationTokenSource();
        var requests = Enumerable.Range(0, 1_000).Select(number => HoldAsync(gateway, $"model-{number % 400:000}", end.Token)).ToList();
        await using var console = await browser.OpenAsync(gateway.Address);

        await Wait.UntilAsync(async () => Assert.Equal("1,000", await console.Page.InnerTextAsync("#running")), TimeSpan.FromSeconds(60));
        await console.SeesAsync("1–50 of 1,000");
        Assert.Equal(64, await console.Page.Locator("section[aria-labelledby=engines] tbody tr").CountAsync());
        await console.Page.GetByRole(AriaRole.Button, new() { Name = "Next" }).ClickAsync();
        await console.SeesAsync("51–100 of 1,000");
        await console.Page.GetByRole(AriaRole.Searchbox).FillAsync("model-123");
        await Wait.UntilAsync(async () => Assert.Equal(3, await console.Page.Locator("section[aria-labelledby=requests] tbody tr").CountAsync()));

        await console.GotoAsync("/models");
        await console.SeesAsync("1–50 of 400");
        await console.Page.GetByRole(AriaRole.Searchbox).FillAsync("model-399");
        await console.SeesAsync("model-399");
        await Wait.UntilAsync(async () => Assert.Equal(1, await console.Page.Locator("section[aria-labelledby=stored] tbody tr").CountAsync()));
        await end.CancelAsync();
        await Task.WhenAll(requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/models")]
    [InlineData("/keys")]
    [InlineData("/try")]
    public async Task Page_fits_a_phone(string path)
    {
        await using var engine = await MockEngine.StartAsync(new() { Models = [new("a-model-with-a-rather-long-name/that-no-phone-has-room-for:70b-instruct-q4_K_M")] });
        await using var gateway = await TestGateway.StartAsync(engine.Address, On);
        await using var console = await browser.OpenAsync(gateway.Address, path, width: 360);

        Assert.Equal(360, await console.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
    }

    private static string[] KeyArguments() =>
        [On, "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:boss:Key={Key}", "--Gateway:Keys:Configured:boss:Scopes=admin,infer,read"];

    private static async Task<int> StatusAsync(TestGateway gateway, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/tags");
        request.Headers.Authorization = new("Bearer", key);
        using var answer = await gateway.Http.SendAsync(request);
        return (int)answer.StatusCode;
    }

    private static async Task SignInAsync(ConsolePage console, string key)
    {
        await console.Page.FillAsync("#key", key);
        await console.Page.Keyboard.PressAsync("Enter");
        await console.Page.Locator(".problem, [data-interactive]").First.WaitForAsync(new() { State = WaitForSelectorState.Attached });
    }

    // By the tabulator alone, as without a mouse.
    private static async Task FocusAsync(ConsolePage console, string name)
    {
        for (var step = 0; step < 40; step++)
        {
            await console.Page.Keyboard.PressAsync("Tab");
            if (await console.Page.EvaluateAsync<string>("document.activeElement.textContent.trim()") == name)
            {
                return;
            }
        }

        Assert.Fail($"'{name}' cannot be reached by the keyboard.");
    }

    private static async Task HoldAsync(TestGateway gateway, string model, CancellationToken cancellationToken)
    {
        using var body = new StringContent(JsonSerializer.Serialize(new { model, prompt = "hi" }));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/generate") { Content = body };
        try
        {
            using var answer = await gateway.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            await answer.Content.CopyToAsync(Stream.Null, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The test has seen enough.
        }
    }
}
