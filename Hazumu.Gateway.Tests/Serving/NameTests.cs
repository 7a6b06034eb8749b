using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>A name that resolves to several addresses.</summary>
public sealed class NameTests
{
    [Fact]
    public async Task Each_address_is_an_instance_and_they_come_and_go()
    {
        var two = Start(2, 0);
        var port = two.Address.Port;
        var (three, four) = (Start(3, port), Start(4, port));
        await using var _ = two;
        await using var __ = three;
        await using var ___ = four;
        IPAddress[]? known = [Address(2), Address(3)];
        var failures = 0;
        await using var gateway = await TestGateway.StartAsync(
            [("ollama", new Uri($"http://engines.test:{port}"))],
            services => services.AddSingleton<NameResolver>((host, _) =>
            {
                if (host == "engines.test" && Volatile.Read(ref known) is { } addresses)
                {
                    return Task.FromResult(addresses);
                }

                Interlocked.Increment(ref failures);
                throw new SocketException((int)SocketError.HostNotFound);
            }),
            "--Gateway:Fleet:ProbeInterval=100ms");

        await HasAsync("ollama@127.0.0.2, ollama@127.0.0.3");
        Assert.Contains($"Information: Instance 'ollama@127.0.0.2' (http://engines.test:{port}/, address 127.0.0.2) has joined.", gateway.Logged);
        var both = await Task.WhenAll(gateway.Http.ChatAsync(body: Ask.Body("one")), gateway.Http.ChatAsync(body: Ask.Body("two")));
        Assert.Equal(["127.0.0.2", "127.0.0.3"], both.Select(answer => answer.Text).Order());
        Assert.All(both, answer => Assert.Equal($"ollama@{answer.Text}", answer.Instance));
        Assert.Equal($"engines.test:{port}", two.Exchanges.First()["Host"]);

        // One is scaled away, another is new.
        Volatile.Write(ref known, [Address(3), Address(4)]);
        await HasAsync("ollama@127.0.0.3, ollama@127.0.0.4");
        both = await Task.WhenAll(gateway.Http.ChatAsync(body: Ask.Body("one")), gateway.Http.ChatAsync(body: Ask.Body("two")));
        Assert.Equal(["127.0.0.3", "127.0.0.4"], both.Select(answer => answer.Text).Order());
        Assert.Single(two.Exchanges);

        // A name server that fails takes nobody away.
        Volatile.Write(ref known, null);
        await Wait.UntilAsync(() => Assert.Single(gateway.Logged, line => line.Contains("'engines.test' cannot be resolved", StringComparison.Ordinal)));
        await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref failures) > 3));
        await HasAsync("ollama@127.0.0.3, ollama@127.0.0.4");
        Assert.Single(gateway.Logged, line => line.Contains("cannot be resolved", StringComparison.Ordinal));
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);

        Task HasAsync(string names) => Wait.UntilAsync(() =>
        {
            Assert.Equal(names, string.Join(", ", gateway.Fleet.Instances.Select(instance => instance.Name)));
            Assert.All(gateway.Fleet.Instances, instance => Assert.NotNull(instance.Stored));
        });
    }

    [Fact]
    public async Task An_instance_that_joins_is_logged_with_an_address_only_where_it_has_several()
    {
        await using var engine = Start(1, 0);
        await using var gateway = await TestGateway.StartAsync([("ollama", engine.Address)]);

        Assert.Contains($"Information: Instance 'ollama' ({engine.Address}) has joined.", gateway.Logged);
    }

    private static IPAddress Address(byte last) => new([127, 0, 0, last]);

    // Slow enough that a second request finds the first one's slot taken.
    private static RawEngine Start(byte last, int port) => RawEngine.Start(
        async exchange =>
        {
            await exchange.ReadBodyAsync();
            await Task.Delay(150);
            await exchange.AnswerAsync(200, "Content-Type: text/plain", $"127.0.0.{last}");
        },
        new IPEndPoint(Address(last), port));
}
