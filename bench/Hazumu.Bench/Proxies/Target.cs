using System.Net;
using Hazumu.Bench.Load;
using Hazumu.Bench.Processes;

namespace Hazumu.Bench.Proxies;

/// <summary>A measured target: a server at an address, and the processes whose CPU and memory count for it.</summary>
internal sealed class Target(string name, IPEndPoint endPoint, ChildProcess? process, RequestTemplate? form = null) : IDisposable
{
    public string Name { get; } = name;

    public IPEndPoint EndPoint { get; } = endPoint;

    /// <summary>The common part of requests to it.</summary>
    public RequestTemplate Form { get; } = form ?? new();

    /// <summary>The proxy's processes; none where there is no proxy.</summary>
    public IReadOnlyList<int> Ids { get; } = process?.Ids ?? [];

    public void Dispose() => process?.Dispose();
}
