using System.Net;
using System.Text;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>People behind one key: whom a request names, and what holds for each of them.</summary>
public sealed class EndUserTests
{
    private const string Shared = "the-key-of-a-chat-page-000";
    private const string Header = "X-OpenWebUI-User-Id";

    private static readonly string[] s_trusted =
    [
        "--Gateway:Keys:Required=true",
        "--Gateway:Keys:File=/nonexistent/keys.json",
        $"--Gateway:Keys:Configured:page:Key={Shared}",
        $"--Gateway:Keys:Configured:page:EndUsers=X-OpenWebUI-User-Email,{Header},body",
    ];

    [Fact]
    public async Task A_trusted_key_names_its_end_users_by_header_or_body()
    {
        await using var engine = await MockEngine.StartAsync();
        var (gateway, seen) = await StartAsync(engine.Address, s_trusted);
        await using (gateway)
        {
            await SendAsync(gateway, Ask.Native, Ask.Body(), (Header, "anna"));
            await SendAsync(gateway, Ask.Native, Ask.Body(), (Header, "id"), ("x-openwebui-user-email", "bo@example.org"));
            await SendAsync(gateway, Ask.OpenAI, WithMember("\"user\":\"carl\""));
            await SendAsync(gateway, Ask.OpenAI, WithMember("\"safety_identifier\":\"dora\",\"user\":\"carl\""));
            await SendAsync(gateway, Ask.Anthropic, WithMember("\"metadata\":{\"user_id\":\"emil\"}"));
            await SendAsync(gateway, Ask.OpenAI, WithMember("\"user\":\"carl\""), (Header, "anna"));
            await SendAsync(gateway, Ask.OpenAI, WithMember("\"user\":7"), (Header, " "));

            Assert.Equal(["anna", "bo@example.org", "carl", "dora", "emil", "anna", null], seen.All.Select(request => request.EndUser));

            // What named them goes on to the engine as it came.
            Assert.Equal("anna", engine.Inferences()[0].Headers[Header]);
        }
    }

    [Fact]
    public async Task A_key_that_is_not_trusted_names_nobody_and_its_headers_pass()
    {
        await using var engine = await MockEngine.StartAsync();
        var (gateway, seen) = await StartAsync(engine.Address, "--Gateway:Keys:Required=true", $"--Gateway:Keys:Configured:page:Key={Shared}");
        await using (gateway)
        {
            await SendAsync(gateway, Ask.OpenAI, WithMember("\"user\":\"carl\""), (Header, "anna"));

            Assert.Equal([null], seen.All.Select(request => request.EndUser));
            Assert.Equal("anna", Assert.Single(engine.Inferences()).Headers[Header]);
        }
    }

    [Fact]
    public async Task A_name_that_is_too_long_is_refused()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_trusted);
        var name = new string('x', EndUsers.LongestName + 1);

        var byHeader = await gateway.Http.SendAsync(Request(Ask.OpenAI, Ask.Body(), (Header, name)));
        var byBody = await gateway.Http.SendAsync(Request(Ask.OpenAI, WithMember($"\"user\":\"{name}\"")));

        Assert.All([byHeader, byBody], answer => Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode));
        Assert.Contains($"The end user in '{Header}' has 257 characters; allowed: 256.", await byHeader.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(engine.Inferences());
    }

    [Fact]
    public async Task A_hash_key_replaces_the_names_of_end_users_everywhere()
    {
        await using var engine = await MockEngine.StartAsync();
        var (gateway, seen) = await StartAsync(engine.Address, [.. s_trusted, "--Gateway:EndUsers:HashKey=twenty-characters-and-more"]);
        await using (gateway)
        {
            await SendAsync(gateway, Ask.Native, Ask.Body(), (Header, "anna"));
            await SendAsync(gateway, Ask.Native, Ask.Body(), (Header, "anna"));
            await SendAsync(gateway, Ask.Native, Ask.Body(), (Header, "bo"));

            Assert.Equal(32, seen.All[0].EndUser!.Length);
            Assert.Equal(seen.All[0].EndUser, seen.All[1].EndUser);
            Assert.NotEqual(seen.All[0].EndUser, seen.All[2].EndUser);
            Assert.DoesNotContain(gateway.Logged, line => line.Contains("anna", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("--Gateway:EndUsers:HashKey=short", "it must have 20 or more")]
    [InlineData("--Gateway:EndUsers:HashKeyFile=/nonexistent/file", "The file of 'Gateway:EndUsers:HashKeyFile' cannot be read")]
    [InlineData("--Gateway:Keys:Configured:page:EndUsers=Authorization", "'Gateway:Keys:Configured:page:EndUsers' is 'Authorization'; allowed: names of request headers")]
    public void A_wrong_setting_is_reported_in_a_sentence(string argument, string sentence)
    {
        var problem = Assert.ThrowsAny<Exception>(() => GatewayHost.Build([argument, $"--Gateway:Keys:Configured:page:Key={Shared}"]).Services.GetRequiredService<KeyStore>());

        Assert.Contains(sentence, problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("short", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Each_end_user_has_limits_of_their_own(bool byBody)
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            engine.Address, [.. s_trusted, "--Gateway:Keys:Configured:page:EndUserRequestsPerMinute=2", "--Gateway:Keys:Configured:page:RequestsPerMinute=5"]);

        var anna = new[] { await StatusAsync("anna"), await StatusAsync("anna"), await StatusAsync("anna") };
        var others = new[] { await StatusAsync("bo"), await StatusAsync("bo"), await StatusAsync("carl"), await StatusAsync("dora") };

        // What the end user's limit refuses does not count against the key's.
        Assert.Equal([200, 200, 429], anna.Select(answer => answer.Status));
        Assert.Contains("This user of the key 'page' has reached its limit (requests per minute)", anna[2].Text, StringComparison.Ordinal);
        Assert.Equal([200, 200, 200, 429], others.Select(answer => answer.Status));
        Assert.Contains("The key 'page' has reached its limit (requests per minute)", others[3].Text, StringComparison.Ordinal);

        async Task<(int Status, string Text)> StatusAsync(string user)
        {
            using var answer = byBody
                ? await gateway.Http.SendAsync(Request(Ask.OpenAI, WithMember($"\"user\":\"{user}\"")))
                : await gateway.Http.SendAsync(Request(Ask.OpenAI, Ask.Body(), (Header, user)));
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task End_users_of_one_key_take_turns()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_trusted);
        var greedy = Enumerable.Range(0, 21).Select(_ => gateway.Http.SendAsync(Request(Ask.Native, Ask.Body("greedy"), (Header, "greedy")))).ToList();
        await engine.HoldsAsync(1);
        await gateway.WaitsAsync(20);
        var modest = Enumerable.Range(0, 2).Select(_ => gateway.Http.SendAsync(Request(Ask.Native, Ask.Body("modest"), (Header, "modest")))).ToList();
        await gateway.WaitsAsync(22);

        engine.Release(30);
        await Task.WhenAll([.. greedy, .. modest]).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(
            ["greedy", "greedy", "modest", "greedy", "modest"],
            engine.Asked.Take(5).Select(asked => asked.Contains("modest", StringComparison.Ordinal) ? "modest" : "greedy"));
    }

    [Fact]
    public async Task End_users_never_become_labels_of_metrics()
    {
        await using var engine = await MockEngine.StartAsync();
        await using var gateway = await TestGateway.StartAsync(engine.Address, s_trusted);
        for (var user = 0; user < 150; user++)
        {
            await SendAsync(gateway, Ask.Native, Ask.Body(), (Header, $"person-{user}"));
        }

        await gateway.Measured.RequestsAsync(150);
        Assert.Equal(150, gateway.Measured.Sum("hazumu.gateway.requests", ("key", "page")));
        Assert.DoesNotContain("person-", await gateway.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limits_of_end_users_hold_across_gateways()
    {
        await using var engine = HeldEngine.Start(beginsAtOnce: true);
        await using var group = await ClusterGroup.StartAsync(
            2, [engine.Address], [.. s_trusted, "--Gateway:Slots=8", "--Gateway:Keys:Configured:page:EndUserConcurrentRequests=1"]);

        using var first = await SendAsync(1, "anna");
        using var second = await SendAsync(0, "anna");
        using var third = await SendAsync(1, "anna");
        using var other = await SendAsync(0, "bo");

        Assert.Equal([200, 429, 429, 200], new[] { first, second, third, other }.Select(answer => (int)answer.StatusCode));
        Assert.Contains("This user of the key 'page'", await third.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        engine.Release(2);
        await first.Content.ReadAsStringAsync();
        await Wait.UntilAsync(async () =>
        {
            engine.Release();
            using var again = await SendAsync(0, "anna");
            Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        });

        Task<HttpResponseMessage> SendAsync(int gateway, string user) =>
            group[gateway].Http.SendAsync(Request(Ask.Native, Ask.Body(), (Header, user)), HttpCompletionOption.ResponseHeadersRead);
    }

    [Fact]
    public void The_head_reads_an_end_user_only_where_it_is_wanted()
    {
        var body = Encoding.UTF8.GetBytes("""{"model":"m","metadata":{"user_id":"\u0065mil"},"messages":[]}""");

        Assert.Equal("emil", RequestHead.Parse(body, isWhole: true, Dialect.Anthropic, namesEndUser: true).EndUser);
        Assert.Null(RequestHead.Parse(body, isWhole: true, Dialect.Anthropic).EndUser);
    }

    private static async Task<(TestGateway Gateway, SeenRequests Seen)> StartAsync(Uri engine, params string[] arguments)
    {
        var recorder = new SeenRequests();
        return (await TestGateway.StartAsync([("engine", engine)], services => services.AddSingleton<IRequestRecorder>(recorder), arguments), recorder);
    }

    private static async Task SendAsync(TestGateway gateway, string path, string body, params (string Name, string Value)[] headers)
    {
        using var answer = await gateway.Http.SendAsync(Request(path, body, headers));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await answer.Content.ReadAsByteArrayAsync();
    }

    private static HttpRequestMessage Request(string path, string body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new("Bearer", Shared);
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
        }

        return request;
    }

    private static string WithMember(string member) => $"{{{member},{Ask.Body()[1..]}";
}
