using System.Net;
using System.Text.RegularExpressions;
using Hazumu.Gateway.Console;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Console;

/// <summary>The console without a browser: when it is there, who gets in, and what is refused.</summary>
public sealed class ConsoleTests
{
    private const string On = "--Gateway:Console:Enabled=true";
    private const string Key = "the-key-of-an-administrator-0123456789";
    private const string ReadKey = "the-key-that-may-only-read-0123456789";

    private static readonly string[] s_keys =
    [
        On, "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:boss:Key={Key}", "--Gateway:Keys:Configured:boss:Scopes=admin,infer,read",
        $"--Gateway:Keys:Configured:reader:Key={ReadKey}", "--Gateway:Keys:Configured:reader:Scopes=read",
    ];

    [Fact]
    public async Task Without_the_setting_nothing_of_the_console_is_served_or_loaded()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address);

        using var answer = await gateway.Http.GetAsync(new Uri("/console", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.DoesNotContain(
            gateway.Libraries.Select(Path.GetFileName),
            library => library!.StartsWith("Microsoft.AspNetCore.Components", StringComparison.Ordinal) || library.StartsWith("Microsoft.AspNetCore.SignalR", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Page_of_a_gateway_without_keys_is_open_and_allows_no_inline_code()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, On);

        using var answer = await gateway.Http.GetAsync(new Uri("/console", UriKind.Relative));
        var html = await answer.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("default-src 'none'; script-src 'self'", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.DoesNotMatch(@"<script(?![^>]*\ssrc=)|\son[a-z]+=|\sstyle=|https?://", Regex.Replace(html, "<!--.*?-->", "", RegexOptions.Singleline));
    }

    [Fact]
    public async Task Usage_page_and_its_CSV_have_the_tokens_of_a_request()
    {
        using var folder = new TemporaryFolder();
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, On, $"--Gateway:Usage:File={folder.File("usage.db")}");
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);

        await Wait.UntilAsync("the record to be stored", TimeSpan.FromSeconds(30), async () =>
            Assert.Contains("mock,1,", await gateway.Http.GetStringAsync(new Uri("/console/usage.csv?by=model", UriKind.Relative)), StringComparison.Ordinal));

        var csv = (await gateway.Http.GetStringAsync(new Uri("/console/usage.csv?by=model", UriKind.Relative))).Split('\n', StringSplitOptions.TrimEntries);
        var page = await gateway.Http.GetStringAsync(new Uri("/console/usage?by=model", UriKind.Relative));
        var (names, values) = (csv[0].Split(','), csv[1].Split(','));
        var tokens = values[Array.IndexOf(names, "output_tokens")];
        Assert.NotEqual("", tokens);
        Assert.Contains($">{tokens}</td>", page, StringComparison.Ordinal);
        using var wrong = await gateway.Http.GetAsync(new Uri("/console/usage.csv?by=nothing", UriKind.Relative));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    [Fact]
    public async Task Every_page_leads_to_the_sign_in_if_keys_are_required()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_keys);

        foreach (var path in (string[])["/console", "/console/", "/console/models", "/console/try", "/console/usage", "/console/usage.csv", "/console/no-page"])
        {
            using var answer = await gateway.Http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal("/console/sign-in", answer.Headers.Location?.ToString());
        }

        using var hub = await gateway.Http.PostAsync(new Uri("/console/_blazor/negotiate?negotiateVersion=1", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Unauthorized, hub.StatusCode);
    }

    [Theory]
    [InlineData(Key, "/console/")]
    [InlineData(" " + Key + " ", "/console/")]
    [InlineData("wrong", "/console/sign-in?problem=Wrong")]
    [InlineData("", "/console/sign-in?problem=Wrong")]
    [InlineData(ReadKey, "/console/sign-in?problem=Scope")]
    public async Task Only_a_valid_key_with_the_scope_admin_signs_in(string key, string location)
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_keys);
        using var visitor = new Client(gateway.Address);

        Assert.Equal(location, await visitor.SignInAsync(key));
        Assert.Equal(location == "/console/" ? HttpStatusCode.OK : HttpStatusCode.Found, await visitor.StatusAsync("/console/models"));
        Assert.DoesNotContain(gateway.Logged, line => key.Length > 10 && line.Contains(key.Trim(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Cookie_of_a_session_is_for_the_console_only_and_hidden_from_scripts()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_keys);
        using var visitor = new Client(gateway.Address);
        await visitor.SignInAsync(Key);

        var cookie = visitor.Set.Last(line => line.StartsWith("hazumu-console=", StringComparison.Ordinal));

        Assert.Contains("path=/console", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("samesite=strict", cookie, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("boss", cookie, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rotation_ends_sessions_and_the_former_secret_begins_none()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("keys.json");
        var (key, old) = TestKeys.Make("boss", Scope.Admin | Scope.Read);
        TestKeys.Write(file, key);
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, On, "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={file}");
        using var visitor = new Client(gateway.Address);
        Assert.Equal("/console/", await visitor.SignInAsync(old));
        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync("/console/models"));

        var (text, hash) = KeyText.CreateSecret(key.Id);
        TestKeys.Write(file, key with { Hash = hash, Former = [new(key.Hash, DateTimeOffset.UtcNow.AddHours(1))] });
        gateway.Service<KeyStore>().Refresh();

        Assert.Equal(HttpStatusCode.Found, await visitor.StatusAsync("/console/models"));
        Assert.Equal("/console/sign-in?problem=Expired", await visitor.SignInAsync(old));
        Assert.Equal("/console/", await visitor.SignInAsync(text));
    }

    [Theory]
    [InlineData("/console/assets/console.css", false)]
    [InlineData("/console/_framework/blazor.web.js", false)]
    [InlineData("/console/models", true)]
    public async Task Assets_that_caches_keep_carry_no_cookie(string path, bool hasCookie)
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_keys);
        using var visitor = new Client(gateway.Address);
        await visitor.SignInAsync(Key);
        visitor.Set.Clear();

        Assert.Equal(HttpStatusCode.OK, await visitor.StatusAsync(path));

        Assert.Equal(hasCookie, visitor.Set.Count > 0);
    }

    [Fact]
    public async Task Attempts_to_sign_in_are_limited_for_each_address()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_keys);
        using var visitor = new Client(gateway.Address);

        for (var attempt = 0; attempt < SignIn.AttemptsPerMinute; attempt++)
        {
            Assert.Equal("/console/sign-in?problem=Wrong", await visitor.SignInAsync("wrong"));
        }

        Assert.Equal("/console/sign-in?problem=TooMany", await visitor.SignInAsync(Key));
    }

    [Fact]
    public async Task Form_without_its_token_is_refused()
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_keys);
        using var form = new FormUrlEncodedContent([new("key", Key)]);

        using var answer = await gateway.Http.PostAsync(new Uri("/console/session", UriKind.Relative), form);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.DoesNotContain("Set-Cookie", answer.Headers.Select(header => header.Key));
    }

    [Theory]
    [InlineData("Origin", "http://localhost:3000")]
    [InlineData("Origin", "null")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    public async Task Other_origins_are_refused_even_where_the_api_allows_them(string header, string value)
    {
        await using var engine = await MockEngine.StartAsync(new());
        await using var gateway = await TestGateway.StartAsync(engine.Address, On, "--Gateway:AllowedOrigins=*");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/console");
        request.Headers.Add(header, value);

        using var answer = await gateway.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Fact]
    public async Task Console_is_not_on_the_management_port()
    {
        await using var engine = await MockEngine.StartAsync(new());
        var port = ClusterGroup.FreePort();
        await using var gateway = await TestGateway.StartAsync(engine.Address, On, $"--Gateway:Management:Port={port}");
        using var http = TestGateway.Client(new Uri($"http://127.0.0.1:{port}"));

        using var answer = await http.GetAsync(new Uri("/console", UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Fact]
    public void Every_text_is_there_in_both_languages()
    {
        var used = Directory.EnumerateFiles(RepositoryRoot.Combine("Hazumu.Gateway", "Console"), "*", SearchOption.AllDirectories)
            .Where(file => file.EndsWith(".razor", StringComparison.Ordinal) || file.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(file => Regex.Matches(File.ReadAllText(file), @"\b(?:T|Texts)\[""([a-z.-]+)""").Select(match => match.Groups[1].Value))
            .Distinct().ToList();

        Assert.True(used.Count > 40);
        foreach (var language in (string[])["en", "ja"])
        {
            Assert.All(used, key => Assert.NotEmpty(Texts.Of(language)[key]));
        }

        Assert.Matches(@"\p{IsHiragana}", Texts.Of("ja")["live.requests.empty"]);
    }

    [Theory]
    [InlineData("light")]
    [InlineData("dark")]
    public void Colours_of_texts_have_the_contrast_that_WCAG_wants(string scheme)
    {
        var css = File.ReadAllText(RepositoryRoot.Combine("Hazumu.Gateway", "Console", "Assets", "console.css"));
        var palettes = Regex.Matches(css, @":root \{([^}]*)\}").Select(match => match.Groups[1].Value).ToArray();
        var colours = palettes[..(scheme == "dark" ? 2 : 1)]
            .SelectMany(palette => Regex.Matches(palette, "--([a-z-]+): (#[0-9a-f]{6})"))
            .GroupBy(match => match.Groups[1].Value)
            .ToDictionary(colour => colour.Key, colour => Luminance(colour.Last().Groups[2].Value));
        (string Text, string On)[] pairs =
        [
            ("text", "page"), ("text", "surface"), ("soft", "page"), ("soft", "surface"), ("accent", "page"), ("accent", "surface"), ("accent", "accent-soft"),
            ("on-accent", "accent"), ("good", "surface"), ("good", "good-soft"), ("warn", "surface"), ("warn", "warn-soft"), ("bad", "surface"), ("bad", "bad-soft"),
            ("load", "surface"), ("prefill", "surface"), ("decode", "surface"),
        ];

        Assert.All(pairs, pair =>
        {
            var (light, dark) = (Math.Max(colours[pair.Text], colours[pair.On]), Math.Min(colours[pair.Text], colours[pair.On]));
            Assert.True((light + 0.05) / (dark + 0.05) >= 4.5, $"{pair}: {(light + 0.05) / (dark + 0.05):0.00}");
        });
    }

    // https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    private static double Luminance(string colour)
    {
        double[] parts = [.. Convert.FromHexString(colour[1..]).Select(part => part / 255d).Select(part => part <= 0.04045 ? part / 12.92 : Math.Pow((part + 0.055) / 1.055, 2.4))];
        return (0.2126 * parts[0]) + (0.7152 * parts[1]) + (0.0722 * parts[2]);
    }

    /// <summary>A browser without scripts: keeps cookies, and sends forms with their token.</summary>
    private sealed class Client(Uri gateway) : IDisposable
    {
        private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, CookieContainer = new() }) { BaseAddress = gateway };

        public List<string> Set { get; } = [];

        public async Task<string?> SignInAsync(string key)
        {
            var page = await _http.GetStringAsync(new Uri("/console/sign-in", UriKind.Relative));
            var token = Regex.Match(page, "name=\"__RequestVerificationToken\" value=\"([^\"]+)\"").Groups[1].Value;
            using var form = new FormUrlEncodedContent([new("key", key), new("__RequestVerificationToken", token)]);
            using var answer = await _http.PostAsync(new Uri("/console/session", UriKind.Relative), form);
            Set.AddRange(answer.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies : []);
            return answer.Headers.Location?.ToString();
        }

        public async Task<HttpStatusCode> StatusAsync(string path)
        {
            using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative));
            Set.AddRange(answer.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies : []);
            return answer.StatusCode;
        }

        public void Dispose() => _http.Dispose();
    }
}
