using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>One engine with the models <c>mock</c> and <c>spare</c>, and one gateway in front of it, for all tests of a class.</summary>
public abstract class GatewayFixture : IAsyncLifetime
{
    internal MockEngine Engine { get; private set; } = null!;

    internal IGatewayUnderTest Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Engine = await MockEngine.StartAsync(new MockEngineOptions { Models = [new MockModel("mock"), new MockModel("spare")], Tokens = 4, TokenText = "日本é", Parallel = 8 });
        Gateway = await StartAsync(Engine.Address, "--Gateway:Slots=8", "--Gateway:Fleet:ProbeInterval=1m");
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (Gateway is IAsyncDisposable gateway)
        {
            await gateway.DisposeAsync();
        }

        await Engine.DisposeAsync();
    }

    private protected abstract Task<IGatewayUnderTest> StartAsync(Uri engine, params string[] arguments);
}

/// <summary>The gateway in this process.</summary>
public sealed class InThisProcess : GatewayFixture
{
    private protected override async Task<IGatewayUnderTest> StartAsync(Uri engine, params string[] arguments) => await TestGateway.StartAsync(engine, arguments);
}

/// <summary>The gateway in this process, with an older one that admits for both.</summary>
public sealed class WhereAnotherAdmits : GatewayFixture
{
    private ClusterGroup? _group;

    public override async ValueTask DisposeAsync()
    {
        await _group!.DisposeAsync();
        await base.DisposeAsync();
    }

    private protected override async Task<IGatewayUnderTest> StartAsync(Uri engine, params string[] arguments)
    {
        _group = await ClusterGroup.StartAsync(2, [("engine", engine)], arguments);
        return _group[1];
    }
}

/// <summary>The gateway as it is run, whose sockets' threads do all the work.</summary>
public sealed class AsItIsRun : GatewayFixture
{
    private protected override async Task<IGatewayUnderTest> StartAsync(Uri engine, params string[] arguments) => await TestGatewayProcess.StartAsync(engine, arguments);
}
