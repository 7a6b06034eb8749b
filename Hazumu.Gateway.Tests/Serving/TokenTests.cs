using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Tokens of an issuer beside keys, over HTTP and with an issuer that signs them.</summary>
public sealed class TokenTests : IAsyncLifetime
{
    private TestIssuer _issuer = null!;
    private MockEngine _engine = null!;

    private static DateTimeOffset Now => DateTimeOffset.UtcNow;

    public async ValueTask InitializeAsync()
    {
        _issuer = await TestIssuer.StartAsync();
        _engine = await MockEngine.StartAsync(new() { Models = [new MockModel("mock"), new MockModel("spare")] });
    }

    public async ValueTask DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _issuer.DisposeAsync();
    }

    [Theory]
    [InlineData(Ask.Native, false)]
    [InlineData(Ask.OpenAI, true)]
    [InlineData(Ask.Anthropic, false)]
    public async Task A_token_is_accepted_and_stays_at_the_gateway(string path, bool isEc)
    {
        _issuer.Rotate(isEc);
        var seen = new SeenRequests();
        await using var gateway = await StartAsync(seen);
        var token = _issuer.Issue(Now);

        Assert.Equal(200, (await gateway.Http.ChatAsync(path, key: token)).Status);

        var request = Assert.Single(seen.All);
        Assert.Equal(("issuer:team", "subject-1"), (request.Caller.Name, request.EndUser));
        Assert.DoesNotContain(Assert.Single(_engine.Inferences()).Headers, sent => sent.Value.Contains(token, StringComparison.Ordinal));
        Assert.DoesNotContain(gateway.Logged, line => line.Contains(token, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_that_does_not_fit_is_refused_with_the_reason()
    {
        await using var gateway = await StartAsync();
        var hour = TimeSpan.FromHours(1);

        await IsRefusedAsync(_issuer.Issue(Now - hour - TimeSpan.FromMinutes(2)), "The token has expired");
        await IsRefusedAsync(_issuer.Issue(Now + TimeSpan.FromMinutes(2)), "The token is not valid yet");
        await IsRefusedAsync(_issuer.Issue(Now, new { aud = "other" }), "another audience");
        await IsRefusedAsync(_issuer.Issue(Now, new { aud = (string?)null }), "another audience");
        await IsRefusedAsync(_issuer.Issue(Now, new { iss = "https://elsewhere.example.org" }), "not issued by an issuer");
        await IsRefusedAsync(_issuer.Issue(Now, new { iss = _issuer.Address + "/" }), "The token is not valid");
        await IsRefusedAsync(_issuer.Issue(Now, new { exp = (string?)null }), "The token is not valid");
        await IsRefusedAsync(_issuer.Issue(Now, new { sub = (string?)null }), "it needs the claim 'sub'");
        await IsRefusedAsync(_issuer.Issue(Now, header: new { crit = Texts("b64") }), "The token is not valid");
        await IsRefusedAsync(_issuer.Issue(Now, header: new { kid = "another" }), "The token is not valid");

        // Within the skew of clocks, and without the id of a key.
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now - hour - TimeSpan.FromSeconds(30)))).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now + TimeSpan.FromSeconds(30)))).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now, new { aud = Texts("x", "hazumu") }, new { kid = (string?)null }))).Status);

        async Task IsRefusedAsync(string token, string sentence)
        {
            foreach (var path in (string[])[Ask.Native, Ask.OpenAI, Ask.Anthropic])
            {
                var answer = await gateway.Http.ChatAsync(path, key: token);
                answer.IsRefusal(path, HttpStatusCode.Unauthorized, "authentication_error", sentence);
                Assert.StartsWith("Bearer error=\"invalid_token\", error_description=\"The token ", answer["WWW-Authenticate"], StringComparison.Ordinal);
                Assert.DoesNotContain(token, answer.ToString(), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_forged_token_is_refused()
    {
        await using var gateway = await StartAsync();
        await using var other = await TestIssuer.StartAsync();
        var valid = _issuer.Issue(Now);
        var parts = valid.Split('.');

        foreach (var forged in (string[])
            [
                _issuer.IssueUnsigned(Now),
                _issuer.IssueUnsigned(Now).Replace(".", "..", StringComparison.Ordinal),
                .. _issuer.ForgeSymmetric(Now),
                other.Issue(Now, new { iss = _issuer.Address }),
                other.Issue(Now, new { iss = _issuer.Address }, new { kid = _issuer.KeyId }),
                other.Issue(Now, new { iss = _issuer.Address }, new { kid = _issuer.KeyId, jku = $"{other.Address}/keys" }),
                $"{parts[0]}.{_issuer.Issue(Now, new { sub = "boss" }).Split('.')[1]}.{parts[2]}",
                $"{parts[0]}.{parts[1]}.",
                $"{parts[0]}.{parts[1]}.{parts[2][..^8]}",
                $"eyJ.{parts[1]}.{parts[2]}",
                $"eyJhIjoxfQ.{new string('A', 100_000)}.x",
            ])
        {
            Assert.Equal(401, (await gateway.Http.ChatAsync(key: forged)).Status);
        }

        Assert.Empty(_engine.Inferences());
        Assert.Equal(0, other.Fetches);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: valid)).Status);
    }

    [Fact]
    public async Task Claims_decide_what_a_token_allows()
    {
        await using var gateway = await StartAsync(
            "--Gateway:Issuers:team:Rules:1:Claim=realm_access.roles",
            "--Gateway:Issuers:team:Rules:1:Value=operator",
            "--Gateway:Issuers:team:Rules:1:Scopes=infer,read,admin",
            "--Gateway:Issuers:team:Rules:1:Priority=interactive",
            "--Gateway:Issuers:team:Rules:2:Claim=repository",
            "--Gateway:Issuers:team:Rules:2:Value=acme/*",
            "--Gateway:Issuers:team:Rules:2:Models=mock",
            "--Gateway:Issuers:team:Rules:2:Group=ci",
            "--Gateway:Issuers:team:Rules:10:Claim=scope",
            "--Gateway:Issuers:team:Rules:10:Value=models.read",
            "--Gateway:Issuers:team:Rules:10:Scopes=read");
        var admin = _issuer.Issue(Now, new { realm_access = new { roles = Texts("viewer", "operator") }, repository = "acme/x" });
        var build = _issuer.Issue(Now, new { repository = "acme/web" });
        var reader = _issuer.Issue(Now, new { scope = "openid models.read" });

        Assert.NotEqual(403, (await gateway.Http.AnswerAsync(HttpMethod.Delete, "/api/delete", """{"model":"none"}""", admin)).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: build)).Status);
        (await gateway.Http.ChatAsync(body: Ask.Body(model: "spare"), key: build)).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "The token of the issuer 'team' may not use the model 'spare'.");
        (await gateway.Http.AnswerAsync(HttpMethod.Delete, "/api/delete", """{"model":"mock"}""", build)).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "The token of the issuer 'team' lacks the scope 'admin'");
        Assert.Equal(200, (await gateway.Http.AnswerAsync(HttpMethod.Get, "/v1/models", key: reader)).Status);
        (await gateway.Http.ChatAsync(key: reader)).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "lacks the scope 'infer'");
        foreach (var stranger in new[] { _issuer.Issue(Now), _issuer.Issue(Now, new { repository = "acmeevil" }), _issuer.Issue(Now, new { scope = "models.reader" }) })
        {
            (await gateway.Http.ChatAsync(key: stranger)).IsRefusal(Ask.Native, HttpStatusCode.Forbidden, "", "no rule of the issuer 'team'");
        }
    }

    [Fact]
    public async Task Name_and_group_come_from_claims_and_unverified_addresses_are_refused()
    {
        var seen = new SeenRequests();
        await using var gateway = await StartAsync(seen, "--Gateway:Issuers:team:NameClaim=email", "--Gateway:Issuers:team:GroupClaim=department", "--Gateway:Issuers:team:Group=others");

        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now, new { email = "anna@example.org", department = "sales" }))).Status);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now, new { email = "bo@example.org", email_verified = true }))).Status);
        Assert.Equal(401, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now, new { email = "boss@example.org", email_verified = false }))).Status);

        Assert.Equal(
            [("anna@example.org", "sales"), ("bo@example.org", "others"), (null, null)],
            seen.All.Select(request => (request.EndUser, request.Caller.Group)));
    }

    [Fact]
    public async Task Limits_hold_for_each_subject_across_gateways()
    {
        await using var held = HeldEngine.Start(beginsAtOnce: true);
        await using var group = await ClusterGroup.StartAsync(2, [held.Address], [.. Arguments, "--Gateway:Slots=8", "--Gateway:Issuers:team:ConcurrentRequests=1"]);
        var (one, two) = (_issuer.Issue(Now), _issuer.Issue(Now, new { sub = "subject-2" }));

        using var first = await group[0].Http.BeginAsync(key: one);
        using var again = await group[1].Http.BeginAsync(key: _issuer.Issue(Now.AddSeconds(-1)));
        using var other = await group[1].Http.BeginAsync(key: two);

        Assert.Equal([200, 429, 200], new[] { first, again, other }.Select(answer => (int)answer.StatusCode));
        held.Release(2);
    }

    [Fact]
    public async Task A_new_signing_key_is_fetched_once_a_token_names_it()
    {
        await using var gateway = await StartAsync();
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now))).Status);
        var old = _issuer.Issue(Now);
        await Task.Delay(IssuerKeys.Pause);

        _issuer.Rotate(isEc: true);
        var both = await Task.WhenAll(StatusAsync(_issuer.Issue(Now)), StatusAsync(old));
        Assert.Equal([200, 200], both);
        Assert.Equal(2, _issuer.Fetches);

        // Anybody can name any key.
        await Task.WhenAll(Enumerable.Range(0, 50).Select(number => StatusAsync(_issuer.Issue(Now, header: new { kid = $"made-up-{number}" }))));
        Assert.InRange(_issuer.Fetches, 2, 3);

        async Task<int> StatusAsync(string token) => (await gateway.Http.ChatAsync(key: token)).Status;
    }

    [Fact]
    public async Task An_issuer_that_is_down_holds_up_neither_the_start_nor_keys()
    {
        const string Key = "the-key-of-a-machine-00001";
        _issuer.IsDown = true;
        await using var gateway = await StartAsync($"--Gateway:Keys:Configured:machine:Key={Key}");
        var token = _issuer.Issue(Now);

        Assert.Equal(200, (await gateway.Http.ChatAsync(key: Key)).Status);
        var refused = await gateway.Http.ChatAsync(Ask.OpenAI, key: token);
        Assert.Equal(503, refused.Status);
        Assert.Contains("the keys of the issuer 'team' cannot be fetched", refused.Text, StringComparison.Ordinal);
        refused.TellsWhenToComeBack(most: 5);
        Assert.Single(gateway.Logged, line => line.Contains("The keys of the issuer 'team' cannot be fetched", StringComparison.Ordinal));

        _issuer.IsDown = false;
        await Wait.UntilAsync(async () => Assert.Equal(200, (await gateway.Http.ChatAsync(key: token)).Status), 3 * IssuerKeys.Pause);

        // What is known serves on.
        _issuer.IsDown = true;
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: token)).Status);
    }

    [Fact]
    public async Task Keys_are_renewed_each_hour_and_used_for_a_day_without_their_issuer()
    {
        var time = new FakeTimeProvider(TestKeys.Now);
        var options = new IssuerOptions { Authority = _issuer.Address, Audience = ["hazumu"] };
        var issuers = new TokenIssuers(new Dictionary<string, IssuerOptions> { ["team"] = options }, time, new KeptLog<TokenIssuers>());
        Assert.Equal(Refusal.None, await ReadAsync());
        Assert.Equal(1, _issuer.Fetches);

        time.Advance(IssuerKeys.Refresh);
        Assert.Equal(Refusal.None, await ReadAsync());
        await Wait.UntilAsync(() => Assert.Equal(2, _issuer.Fetches));

        _issuer.IsDown = true;
        time.Advance(IssuerKeys.Patience - TimeSpan.FromSeconds(1));
        Assert.Equal(Refusal.None, await ReadAsync());
        time.Advance(IssuerKeys.Pause);
        Assert.Equal(Refusal.IssuerUnreachable, await ReadAsync());

        async Task<Refusal> ReadAsync() => (await issuers.ReadAsync(_issuer.Issue(time.GetUtcNow()), default)).Refusal;
    }

    [Theory]
    [InlineData("https://other.example.org", null, "It calls itself 'https://other.example.org'; set 'Gateway:Issuers:team:Issuer'")]
    [InlineData(null, "http://192.0.2.1/keys", "'http://192.0.2.1/keys' is no https URL")]
    public async Task A_discovery_document_that_cannot_be_trusted_is_reported(string? callsItself, string? keys, string reason)
    {
        (_issuer.CallsItself, _issuer.KeysAddress) = (callsItself, keys);
        await using var gateway = await StartAsync();

        Assert.Equal(503, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now))).Status);

        Assert.Contains(reason, Assert.Single(gateway.Logged, line => line.Contains("cannot be fetched", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_goes_on_when_its_token_expires()
    {
        await using var held = HeldEngine.Start(beginsAtOnce: true);
        await using var gateway = await TestGateway.StartAsync(held.Address, [.. Arguments, "--Gateway:Issuers:team:ClockSkew=1ms"]);
        var end = Now.AddSeconds(5);
        var token = _issuer.Issue(Now, new { exp = end.ToUnixTimeSeconds() });
        using var running = await gateway.Http.BeginAsync(key: token);

        await Wait.UntilAsync(async () => Assert.Equal(401, (await gateway.Http.AnswerAsync(HttpMethod.Get, "/api/version", key: token)).Status));
        held.Release();

        Assert.Contains("\"done\":true", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_foreign_token_beside_a_key_is_dropped_and_without_required_keys_passes()
    {
        const string Key = "the-key-of-a-machine-00001";
        var foreign = _issuer.Issue(Now, new { iss = "https://elsewhere.example.org" });
        await using (var gateway = await StartAsync($"--Gateway:Keys:Configured:machine:Key={Key}"))
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Ask.Anthropic, UriKind.Relative)) { Content = new StringContent(Ask.Body()) };
            request.Headers.Authorization = new("Bearer", foreign);
            request.Headers.Add("x-api-key", Key);
            Assert.Equal(HttpStatusCode.OK, (await gateway.Http.SendAsync(request)).StatusCode);
        }

        await using (var gateway = await StartAsync("--Gateway:Keys:Required=false"))
        {
            Assert.Equal(200, (await gateway.Http.ChatAsync(key: foreign)).Status);
            Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now.AddDays(-1)))).Status);
        }

        Assert.Equal([false, true, false], _engine.Inferences().Select(inference => inference.Headers.ContainsKey("Authorization")));
    }

    [Fact]
    public async Task A_gateway_without_issuers_loads_no_library_for_tokens()
    {
        await using var gateway = await TestGatewayProcess.StartAsync(_engine.Address);
        Assert.Equal(200, (await gateway.Http.ChatAsync(key: _issuer.Issue(Now))).Status);

        Assert.DoesNotContain(gateway.Libraries.Select(Path.GetFileName), library => library!.Contains("IdentityModel", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--Gateway:Issuers:team:Audience=x", "'Gateway:Issuers:team' has no 'Authority'")]
    [InlineData("--Gateway:Issuers:team:Authority=https://login.example.org", "'Gateway:Issuers:team' has no 'Audience'")]
    [InlineData("--Gateway:Issuers:team:Authority=http://login.example.org --Gateway:Issuers:team:Audience=x", "'Gateway:Issuers:team:Authority' is 'http://login.example.org'; allowed: an https URL", 2)]
    [InlineData("--Gateway:Issuers:team:Authority=https://a --Gateway:Issuers:team:Audience=x --Gateway:Issuers:two:Authority=https://a/ --Gateway:Issuers:two:Audience=y", "The issuers 'team' and 'two' are the same")]
    [InlineData("--Gateway:Issuers:team:Authority=https://a --Gateway:Issuers:team:Audience=x --Gateway:Issuers:team:Scopes=all", "'Gateway:Issuers:team:Scopes' is 'all'; allowed: one or more of infer, read, admin")]
    [InlineData("--Gateway:Issuers:team:Authority=https://a --Gateway:Issuers:team:Audience=x --Gateway:Issuers:team:Rules:staff:Claim=groups", "'Gateway:Issuers:team:Rules:staff' needs 'Claim' and 'Value'")]
    public async Task A_wrong_setting_is_reported_in_a_sentence(string arguments, string sentence, int expectedExitCode = 1)
    {
        var (exitCode, _, error) = await TestGatewayProcess.RunAsync([.. arguments.Split(' '), "--urls=http://127.0.0.1:0"]);

        Assert.Equal(expectedExitCode, exitCode);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    private string[] Arguments =>
    [
        "--Gateway:Keys:Required=true",
        "--Gateway:Keys:File=/nonexistent/keys.json",
        $"--Gateway:Issuers:team:Authority={_issuer.Address}",
        "--Gateway:Issuers:team:Audience=hazumu",
    ];

    private Task<TestGateway> StartAsync(params string[] arguments) => TestGateway.StartAsync(_engine.Address, [.. Arguments, .. arguments]);

    private Task<TestGateway> StartAsync(SeenRequests seen, params string[] arguments) =>
        TestGateway.StartAsync([("engine", _engine.Address)], services => services.AddSingleton<IRequestRecorder>(seen), [.. Arguments, .. arguments]);

    private static string[] Texts(params string[] items) => items;
}

/// <summary>Keeps requests as they were when they ended.</summary>
internal sealed class SeenRequests : IRequestRecorder
{
    private readonly List<GatewayRequest> _requests = [];

    /// <summary>All of them.</summary>
    public IReadOnlyList<GatewayRequest> All
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    public void Begin(GatewayRequest request)
    {
    }

    public void Record(GatewayRequest request, HttpContext context)
    {
        lock (_requests)
        {
            _requests.Add(request);
        }
    }
}
