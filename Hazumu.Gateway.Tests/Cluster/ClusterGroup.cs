using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>Gateways in this process in front of the same engines, with a store of their own. The first one leads.</summary>
internal sealed class ClusterGroup : IAsyncDisposable
{
    private const int LowestPort = 20_000;
    private const int Ports = 12_000;

    // Other test runs on the machine begin elsewhere.
    private static int s_port = Random.Shared.Next(Ports);

    private readonly IReadOnlyList<(string Name, Uri Engine)> _instances;
    private readonly string[] _arguments;
    private readonly List<TestGateway> _gateways = [];

    private ClusterGroup(IReadOnlyList<(string Name, Uri Engine)> instances, string[] arguments, ValkeyServer store)
    {
        _instances = instances;
        _arguments = arguments;
        Store = store;
    }

    /// <summary>The store.</summary>
    public ValkeyServer Store { get; }

    /// <summary>The gateways.</summary>
    public IReadOnlyList<TestGateway> All => _gateways;

    public TestGateway this[int index] => _gateways[index];

    /// <summary>Starts some in front of engines of the names <c>e0</c>, <c>e1</c> and so on, and waits until they know each other.</summary>
    public static Task<ClusterGroup> StartAsync(int count, IEnumerable<Uri> engines, params string[] arguments) =>
        StartAsync(count, [.. engines.Select((engine, number) => ($"e{number}", engine))], arguments);

    /// <summary>Starts some and waits until they know each other.</summary>
    public static async Task<ClusterGroup> StartAsync(int count, IReadOnlyList<(string Name, Uri Engine)> instances, params string[] arguments)
    {
        var group = new ClusterGroup(instances, arguments, await ValkeyServer.StartAsync());
        try
        {
            for (var number = 0; number < count; number++)
            {
                group._gateways.Add(await group.StartOneAsync());
                await AdmitsAsync(group._gateways[0], group._gateways[1..]);
            }

            await Wait.UntilAsync(() => Assert.All(group._gateways, gateway => Assert.Equal(count - 1, gateway.Service<ClusterAdmission>().Peers)));
            return group;
        }
        catch
        {
            await group.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until its connections count as ones that have held, which takes a second.</summary>
    public Task HoldsAsync() => Wait.WhileAsync(
        TimeSpan.FromSeconds(1.2), () => Assert.All(_gateways, gateway => Assert.Equal(_gateways.Count - 1, gateway.Service<ClusterAdmission>().Peers)));

    /// <summary>Starts one at its place again.</summary>
    public async Task<TestGateway> RestartAsync(int number) => _gateways[number] = await StartOneAsync();

    /// <summary>Waits until one of some admits for all.</summary>
    public static async Task<TestGateway> FindLeaderAsync(params IReadOnlyList<TestGateway> gateways)
    {
        TestGateway? leader = null;
        await Wait.UntilAsync(() => leader = Assert.Single(gateways, gateway => gateway.Service<ClusterAdmission>().IsLeader));
        await AdmitsAsync(leader!, gateways.Where(gateway => gateway != leader));
        return leader!;
    }

    /// <summary>Waits until one admits for all.</summary>
    public static Task AdmitsAsync(TestGateway one, IEnumerable<TestGateway> others) => Wait.UntilAsync(() =>
    {
        Assert.Equal((true, AdmissionMode.Open), (one.Service<IAdmission>().IsAdmitting, one.Service<Scheduler>().Mode));
        Assert.All(others, other => Assert.Equal((false, AdmissionMode.Elsewhere), (other.Service<IAdmission>().IsAdmitting, other.Service<Scheduler>().Mode)));
    });

    /// <summary>A port that nobody has, and nobody is given before it is used: below those that the kernel gives to connections.</summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = LowestPort + (int)((uint)Interlocked.Increment(ref s_port) % Ports);
            using var listener = new TcpListener(IPAddress.Loopback, port);
            try
            {
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            // The youngest first, so that no gateway takes over.
            foreach (var gateway in _gateways.AsEnumerable().Reverse())
            {
                await gateway.DisposeAsync();
            }
        }
        finally
        {
            await Store.DisposeAsync();
        }
    }

    private Task<TestGateway> StartOneAsync() => TestGateway.StartAsync(_instances, ["--Gateway:Keys:File=/nonexistent/keys.json", .. Store.Arguments, .. _arguments]);
}
