using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>Which gateway leads, and what happens while the store is away.</summary>
public sealed class LeaderTests
{
    [Fact]
    public async Task Of_gateways_that_start_together_one_leads_and_slots_are_not_given_twice()
    {
        await using var engine = HeldEngine.Start();
        await using var store = await ValkeyServer.StartAsync();
        var gateways = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => TestGateway.StartAsync([("e", engine.Address)], store.Arguments))));
        try
        {
            var asked = gateways.Select(gateway => gateway.Http.ChatAsync()).ToList();

            await ClusterGroup.FindLeaderAsync(gateways);
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

    [Fact]
    public async Task A_restart_of_the_store_changes_nothing()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(3, [engine.Address]);
        var asked = group.All.Select(gateway => gateway.Http.ChatAsync()).ToList();
        await group[0].WaitsAsync(2);

        await group.Store.KillAsync();
        await Wait.UntilAsync(() => Assert.All(group.All, gateway => Assert.False(gateway.Service<ClusterAdmission>().IsStoreUp)));
        await Wait.WhileAsync(2 * ClusterAdmission.Patience, NothingHasChanged);
        await ClusterGroup.AdmitsAsync(group[0], group.All.Skip(1));
        Assert.Equal([0, 0, 0], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.store.up")));

        await group.Store.RestartAsync();
        await Wait.UntilAsync(() => Assert.All(group.All, gateway => Assert.True(gateway.Service<ClusterAdmission>().IsStoreUp)));
        await Wait.WhileAsync(2 * ClusterStore.Expiry, NothingHasChanged);
        await ClusterGroup.AdmitsAsync(group[0], group.All.Skip(1));
        Assert.Equal([1, 1, 1], group.All.Select(gateway => gateway.Measured.Now("hazumu.gateway.store.up")));
        Assert.Equal((1, 2), (engine.Running, group[0].Waiting()));
        engine.Release(3);
        Assert.All(await Task.WhenAll(asked), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(1, engine.Most);

        void NothingHasChanged() => Assert.Equal([true, false, false], group.All.Select(gateway => gateway.Service<IAdmission>().IsAdmitting));
    }

    [Fact]
    public async Task Without_the_store_and_the_leader_each_gateway_admits_by_itself()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(3, [engine.Address]);
        await group.Store.KillAsync();
        await group[0].DisposeAsync();
        TestGateway[] left = [group[1], group[2]];

        var asked = left.Select(gateway => gateway.Http.ChatAsync()).ToList();

        await Wait.UntilAsync(() => Assert.All(left, gateway => Assert.Equal((true, AdmissionMode.Open), (gateway.Service<IAdmission>().IsAdmitting, gateway.Service<Scheduler>().Mode))));
        await engine.HoldsAsync(2);
        await group.Store.RestartAsync();
        var leader = await ClusterGroup.FindLeaderAsync(left);
        await Wait.UntilAsync(() => Assert.Equal(2, AdmissionTests.InUse(leader)));
        engine.Release(2);
        Assert.All(await Task.WhenAll(asked), answer => Assert.Equal(200, answer.Status));
    }

    [Fact]
    public async Task A_gateway_that_starts_without_the_store_serves_and_joins_later()
    {
        await using var engine = HeldEngine.Start();
        await using var store = await ValkeyServer.StartAsync();
        await store.KillAsync();
        await using var gateway = await TestGateway.StartAsync([("e", engine.Address)], store.Arguments);
        engine.Release();

        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);

        await store.RestartAsync();
        await ClusterGroup.FindLeaderAsync(gateway);
    }

    [Fact]
    public async Task Another_leader_in_the_store_is_followed_and_the_one_before_steps_down()
    {
        await using var engine = HeldEngine.Start();
        await using var group = await ClusterGroup.StartAsync(2, [engine.Address]);
        var running = group[0].Http.ChatAsync();
        await engine.HoldsAsync(1);
        await group.Store.KillAsync();
        await using var other = await TestGateway.StartAsync([("e0", engine.Address)], group.Store.Arguments);
        await Wait.UntilAsync(() => Assert.True(other.Service<IAdmission>().IsAdmitting));

        await group.Store.RestartAsync();

        // Whichever of the two has the lock first: the other one follows it, and reports what it holds. Until then both admit.
        await Wait.UntilAsync(() => Assert.Single((TestGateway[])[group[0], group[1], other], one => one.Service<IAdmission>().IsAdmitting));
        var leader = await ClusterGroup.FindLeaderAsync(group[0], group[1], other);
        await Wait.UntilAsync(() => Assert.Equal(1, AdmissionTests.InUse(leader)));
        engine.Release();
        Assert.Equal(200, (await running).Status);
        await Wait.UntilAsync(() => Assert.Equal(0, AdmissionTests.InUse(leader)));
    }
}
