using System.Net;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A file with settings that changes while the gateway runs.</summary>
public sealed class SettingsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Instances_come_and_go_and_a_stream_of_one_that_goes_goes_on()
    {
        await using var a = await MockEngine.StartAsync(new() { Tokens = 60, TokenTime = TimeSpan.FromMilliseconds(50) });
        await using var b = await MockEngine.StartAsync(new() { Models = [new MockModel("mock"), new MockModel("its-own")] });
        await WriteAsync($$"""{"Gateway":{"Engines":{"a":{"Url":"{{a.Address}}"} } } }""");
        await using var gateway = await TestGateway.StartAsync([], $"--Gateway:SettingsFile={File}");
        await HasAsync("a");
        var stream = await gateway.Http.BeginAsync();

        await WriteAsync($$"""{"Gateway":{"Engines":{"a":{"Url":"{{a.Address}}"},"b":{"Url":"{{b.Address}}"} } } }""");
        await HasAsync("a, b");
        Assert.Equal("b", (await gateway.Http.ChatAsync(body: Ask.Body(model: "its-own"))).Instance);

        await WriteAsync($$"""{"Gateway":{"Engines":{"b":{"Url":"{{b.Address}}"} } } }""");
        await HasAsync("b");
        Assert.Equal("b", (await gateway.Http.ChatAsync()).Instance);
        Assert.Contains("\"done\":true", await stream.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        stream.Dispose();
        Assert.Single(a.Inferences());

        await WriteAsync("""{"Gateway":{}}""");
        await HasAsync("");
        (await gateway.Http.ChatAsync()).IsRefusal(Ask.Native, HttpStatusCode.ServiceUnavailable, "", "No instance");

        Task HasAsync(string names) => Wait.UntilAsync(() =>
        {
            Assert.Equal(names, string.Join(", ", gateway.Fleet.Instances.Select(instance => instance.Name)));
            Assert.All(gateway.Fleet.Instances, instance => Assert.NotNull(instance.Stored));
        });
    }

    [Fact]
    public async Task A_broken_file_changes_nothing_and_is_logged_in_one_line_each_time()
    {
        await using var engine = await MockEngine.StartAsync(new() { Tokens = 1 });
        await WriteAsync("""{"Gateway":{"Slots":2}}""");
        await using var gateway = await TestGatewayProcess.StartAsync(engine.Address, $"--Gateway:SettingsFile={File}");
        (string Broken, string Told)[] mistakes =
        [
            ("""{"Gateway":{"Slots":2}""", Path.GetFileName(File)),
            ("""{"Gateway":{"Slots":"many"}}""", "Gateway:Slots"),
            ("""{"Gateway":{"Lots":2}}""", "Gateway:Lots"),
            ("""{"Gateway":{"Engines":{"b":{"Url":"nowhere"}}}}""", "nowhere"),
            ("""{"Gateway":{"Keys":{"Required":true},"Issuers":{"team":{}}}}""", "Gateway:Issuers:team"),
            ("""{"Gateway":{"Keys":{"Required":true},"ModelNames":[{"Name":"x"}]}}""", "Gateway:ModelNames"),
            ("""{"Gateway":{"Keys":{"Required":true,"Configured":{"a":{"Key":"short"}}}}}""", "Gateway:Keys:Configured:a:Key"),
        ];

        for (var mistake = 0; mistake < mistakes.Length; mistake++)
        {
            await WriteAsync(mistakes[mistake].Broken);
            await Wait.UntilAsync(() => Assert.Equal(mistake + 1, Rejections().Count()), TimeSpan.FromSeconds(5));
            Assert.Contains(mistakes[mistake].Told, Rejections().Last(), StringComparison.Ordinal);
            Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
        }

        await WriteAsync("""{"Gateway":{"Slots":2,"Keys":{"Required":true}}}""");
        await Wait.UntilAsync(() => Assert.Equal(401, gateway.Http.ChatAsync().GetAwaiter().GetResult().Status), TimeSpan.FromSeconds(5));
        Assert.Equal(mistakes.Length, Rejections().Count());
        Assert.DoesNotContain(gateway.Printed, line => line.Contains("   at ", StringComparison.Ordinal));

        IEnumerable<string> Rejections() => gateway.Printed.Where(line => line.Contains("the old ones stay in effect", StringComparison.Ordinal));
    }

    private string File => _folder.File("settings.json");

    // At once: half of a file is an error that the gateway would tell.
    private async Task WriteAsync(string text)
    {
        await System.IO.File.WriteAllTextAsync($"{File}.new", text);
        System.IO.File.Move($"{File}.new", File, overwrite: true);
    }
}
