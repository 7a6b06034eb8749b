using System.Net;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Priorities over HTTP: of keys, and of requests that lower theirs.</summary>
public sealed class PriorityTests : IDisposable
{
    private const string Person = "the-key-of-a-person-here";
    private const string Nightly = "the-key-of-a-nightly-job";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_interactive_key_passes_the_queue_of_a_batch(bool byHeader)
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(
            engine.Address,
            "--Gateway:Keys:Required=true",
            $"--Gateway:Keys:File={_folder.File("none")}",
            $"--Gateway:Keys:Configured:person:Key={Person}",
            "--Gateway:Keys:Configured:person:Priority=interactive",
            $"--Gateway:Keys:Configured:nightly:Key={Nightly}",
            $"--Gateway:Keys:Configured:nightly:Priority={(byHeader ? "normal" : "batch")}");
        var batch = Enumerable.Range(0, 31).Select(_ => ChatAsync(gateway, "nightly", Nightly, byHeader ? "batch" : null)).ToList();
        await engine.HoldsAsync(1);
        await gateway.WaitsAsync(30);

        // The header lowers a priority, and raises none.
        var person = Enumerable.Range(0, 3).Select(_ => ChatAsync(gateway, "person", Person, "interactive")).ToList();
        batch.Add(ChatAsync(gateway, "nightly", Nightly, byHeader ? "batch" : "interactive"));
        await gateway.WaitsAsync(34);
        engine.Release(4);
        await Task.WhenAll(person).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(["nightly", "person", "person", "person"], engine.Asked.Take(4).Select(asked => asked.Contains("person", StringComparison.Ordinal) ? "person" : "nightly"));
        engine.Release(100);
        Assert.All(await Task.WhenAll(batch), status => Assert.Equal(HttpStatusCode.OK, status));
    }

    [Fact]
    public async Task An_unknown_priority_is_refused()
    {
        await using var engine = HeldEngine.Start();
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        Assert.Equal(HttpStatusCode.BadRequest, await ChatAsync(gateway, "x", "", "urgent"));
        Assert.Equal(0, engine.Running);
    }

    private static async Task<HttpStatusCode> ChatAsync(TestGateway gateway, string says, string key, string? priority)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Ask.Native, UriKind.Relative)) { Content = new StringContent(Ask.Body(says)) };
        request.Headers.Add("x-api-key", key.Length > 0 ? [key] : []);
        request.Headers.Add("Hazumu-Priority", priority is null ? [] : [priority]);
        using var answer = await gateway.Http.SendAsync(request);
        return answer.StatusCode;
    }
}
