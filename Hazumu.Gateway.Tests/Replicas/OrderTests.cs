using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Replicas;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Hazumu.Gateway.Tests.Replicas;

/// <summary>Who admits: never one that has just come, whatever its clock and its names say.</summary>
public sealed class OrderTests
{
    private static readonly IPAddress[] s_addresses = [IPAddress.Parse("127.0.0.1"), IPAddress.Parse("127.0.0.2")];

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task One_whose_clock_is_wrong_is_the_youngest_all_the_same(int hours)
    {
        await using var engine = HeldEngine.Start();
        var port = PeerGroup.FreePort();
        await using var old = await StartAsync(engine, port, 0, Known);
        await PeerGroup.AdmitsAsync(old, []);
        await using var young = await StartAsync(engine, port, 1, Known, new Clock(TimeSpan.FromHours(hours)));

        await PeerGroup.AdmitsAsync(old, [young]);
        Assert.DoesNotContain(old.Logged, line => line.Contains($"127.0.0.2:{port} admits", StringComparison.Ordinal));
        Assert.DoesNotContain(young.Logged, line => line.Contains("This gateway admits", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_cannot_find_the_others_yet_does_not_take_itself_for_alone()
    {
        await using var engine = HeldEngine.Start();
        var port = PeerGroup.FreePort();
        await using var old = await StartAsync(engine, port, 0, Known);
        await PeerGroup.AdmitsAsync(old, []);
        var failures = 0;
        var works = false;
        await using var young = await StartAsync(engine, port, 1, (_, _) =>
        {
            if (!Volatile.Read(ref works))
            {
                Interlocked.Increment(ref failures);
                throw new SocketException((int)SocketError.TryAgain);
            }

            return Known("", default);
        });
        var asked = young.Http.ChatAsync();
        await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref failures) >= 3));

        Assert.Equal((AdmissionMode.Paused, false, 1), (young.Service<Scheduler>().Mode, young.Service<IAdmission>().IsAdmitting, young.Waiting()));

        Volatile.Write(ref works, true);
        await PeerGroup.AdmitsAsync(old, [young]);
        await engine.HoldsAsync(1);
        Assert.Equal(1, AdmissionTests.InUse(old));
        Assert.DoesNotContain(young.Logged, line => line.Contains("This gateway admits", StringComparison.Ordinal));
        engine.Release();
        Assert.Equal(200, (await asked).Status);
    }

    [Fact]
    public async Task Where_a_name_leads_nowhere_for_long_nobody_is_there()
    {
        await using var engine = HeldEngine.Start();
        var clock = new Clock();
        var failures = 0;
        await using var alone = await StartAsync(engine, PeerGroup.FreePort(), 0, (_, _) => throw new SocketException(Interlocked.Increment(ref failures) > 0 ? (int)SocketError.HostNotFound : 0), clock);
        await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref failures) >= 3));
        Assert.Equal(AdmissionMode.Paused, alone.Service<Scheduler>().Mode);

        clock.Pass(TimeSpan.FromSeconds(10));

        await PeerGroup.AdmitsAsync(alone, []);
    }

    [Fact]
    public async Task One_that_finds_nobody_but_itself_admits_at_once()
    {
        await using var engine = HeldEngine.Start();
        await using var alone = await StartAsync(engine, PeerGroup.FreePort(), 0, (_, _) => Task.FromResult(s_addresses[..1]));

        await Wait.UntilAsync(() => Assert.Equal((true, AdmissionMode.Open), (alone.Service<IAdmission>().IsAdmitting, alone.Service<Scheduler>().Mode)), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task Of_two_that_meet_late_the_one_that_has_run_longer_admits()
    {
        await using var engine = HeldEngine.Start();
        var port = PeerGroup.FreePort();
        var meet = false;
        Clock[] clocks = [new(), new()];
        var gateways = new List<TestGateway>();
        try
        {
            for (var number = 0; number < 2; number++)
            {
                var own = s_addresses[number..(number + 1)];
                gateways.Add(await StartAsync(engine, port, number, (_, _) => Task.FromResult(Volatile.Read(ref meet) ? s_addresses : own), clocks[number]));
                await PeerGroup.AdmitsAsync(gateways[number], []);
            }

            // Without their ages the lesser identity would be the first.
            var old = string.CompareOrdinal(gateways[0].Service<Peers>().Id, gateways[1].Service<Peers>().Id) > 0 ? 0 : 1;
            clocks[old].Pass(TimeSpan.FromMinutes(1));
            Volatile.Write(ref meet, true);

            await PeerGroup.AdmitsAsync(gateways[old], [gateways[1 - old]]);
        }
        finally
        {
            foreach (var gateway in gateways)
            {
                await gateway.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Of_those_that_start_at_the_same_moment_one_admits_and_never_two_give_slots()
    {
        await using var engine = HeldEngine.Start();
        int[] ports = [.. Enumerable.Range(0, 3).Select(_ => PeerGroup.FreePort())];
        var starting = ports.Select(port => Task.Run(() => TestGateway.StartAsync([("e", engine.Address)], [$"--Kestrel:Endpoints:test:Url=http://127.0.0.1:{port}", .. PeerGroup.Arguments(ports)]))).ToList();
        var gateways = await Task.WhenAll(starting);
        try
        {
            var asked = gateways.Select(gateway => gateway.Http.ChatAsync()).ToList();

            await Wait.UntilAsync(() => Assert.Equal([false, false, true], gateways.Select(gateway => gateway.Service<IAdmission>().IsAdmitting).Order()));
            await Wait.UntilAsync(() => Assert.Equal((1, 2), (engine.Running, gateways.Sum(gateway => gateway.Waiting()))));
            engine.Release(3);
            Assert.All(await Task.WhenAll(asked), answer => Assert.Equal(200, answer.Status));
            Assert.Equal(1, engine.Most);
        }
        finally
        {
            foreach (var gateway in gateways)
            {
                await gateway.DisposeAsync();
            }
        }
    }

    private static Task<IPAddress[]> Known(string host, CancellationToken cancellationToken) => Task.FromResult(s_addresses);

    private static Task<TestGateway> StartAsync(HeldEngine engine, int port, int number, NameResolver names, TimeProvider? time = null) => TestGateway.StartAsync(
        [("e", engine.Address)],
        services => services.AddSingleton(names).AddSingleton(time ?? TimeProvider.System),
        $"--Kestrel:Endpoints:test:Url=http://{s_addresses[number]}:{port}",
        $"--Gateway:Peers:Addresses=http://gateways.internal:{port}",
        $"--Gateway:Peers:Key={PeerGroup.Key}");

    /// <summary>A clock that is set wrong, and may be turned forward.</summary>
    private sealed class Clock(TimeSpan wrongBy = default) : TimeProvider
    {
        private long _passed;

        public void Pass(TimeSpan time) => Interlocked.Add(ref _passed, (long)(time.TotalSeconds * TimestampFrequency));

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + wrongBy;

        public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _passed);
    }
}
