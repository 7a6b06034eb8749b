using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Hazumu.Gateway.Configuration;
using Microsoft.AspNetCore.Connections;

namespace Hazumu.Gateway.Pipeline.Clients;

/// <summary>
/// Limits the connections of clients, all together and of one address; one more is closed at once. The management port has no limit, so
/// that probes and scrapes get through whatever clients do.
/// </summary>
internal sealed class ClientConnections
{
    // An idle connection takes some 15 KB, and 45 KB with a large head of which the end is missing; requests have their own limits. With
    // a gigabyte one address then has 2,048: Open WebUI embeds each piece of a file over a connection of its own.
    private const long BytesPerConnection = 32 * 1024;

    // Of the memory that the process may use, for connections.
    private const int MemoryShare = 4;

    private const int AddressShare = 4;
    private const long LeastPerAddress = 256;

    private readonly ConcurrentDictionary<AddressBlock, int> _perAddress = new();
    private readonly long _limit;
    private readonly long _addressLimit;
    private long _count;
    private long _rejectedByLimit;
    private long _rejectedByAddress;

    public ClientConnections(GatewaySettings settings, IConfiguration configuration, IMeterFactory meters)
        : this(
            settings.Current.Connections,
            OpenFiles.Clients(),
            GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            isBehindProxy: "true".Equals(configuration["FORWARDEDHEADERS_ENABLED"], StringComparison.OrdinalIgnoreCase))
    {
        meters.Create(TelemetryOptions.MeterName).CreateObservableCounter(
            "hazumu.gateway.connections.rejected",
            () => (Measurement<long>[])
            [
                new(Interlocked.Read(ref _rejectedByLimit), new KeyValuePair<string, object?>("reason", "limit")),
                new(Interlocked.Read(ref _rejectedByAddress), new KeyValuePair<string, object?>("reason", "address")),
            ],
            "{connection}",
            "Client connections that were closed immediately because a limit was reached.");
    }

    internal ClientConnections(ConnectionOptions options, long? byOpenFiles, long memory, bool isBehindProxy)
    {
        _limit = options.Limit ?? Math.Max(1, Math.Min(byOpenFiles ?? long.MaxValue, memory / MemoryShare / BytesPerConnection));

        // All connections of a proxy have its address.
        _addressLimit = options.PerAddress ?? (isBehindProxy ? _limit : Math.Max(LeastPerAddress, _limit / AddressShare));
    }

    /// <summary>The most connections of clients, and of one address.</summary>
    public (long All, long PerAddress) Limits => (_limit, _addressLimit);

    /// <summary>The middleware of an endpoint for clients.</summary>
    public ConnectionDelegate Limit(ConnectionDelegate next) => async connection =>
    {
        AddressBlock? address = connection.RemoteEndPoint is IPEndPoint remote ? AddressBlock.Of(remote.Address) : null;
        if (!TryEnter(address))
        {
            // The server closes what comes back.
            return;
        }

        try
        {
            await next(connection);
        }
        finally
        {
            Leave(address);
        }
    };

    /// <summary>Counts a connection. <see cref="Leave"/> must follow if it is accepted.</summary>
    /// <param name="address">The client's address.</param>
    /// <returns>Whether it is accepted.</returns>
    internal bool TryEnter(AddressBlock? address)
    {
        if (Interlocked.Increment(ref _count) > _limit)
        {
            Interlocked.Decrement(ref _count);
            Interlocked.Increment(ref _rejectedByLimit);
            return false;
        }

        if (address is { } block && _perAddress.AddOrUpdate(block, 1, static (_, count) => count + 1) > _addressLimit)
        {
            Leave(address);
            Interlocked.Increment(ref _rejectedByAddress);
            return false;
        }

        return true;
    }

    /// <summary>A connection that was let in has ended.</summary>
    internal void Leave(AddressBlock? address)
    {
        Interlocked.Decrement(ref _count);
        if (address is { } block && _perAddress.AddOrUpdate(block, 0, static (_, count) => count - 1) <= 0)
        {
            // Only if no connection has come in between.
            _perAddress.TryRemove(new(block, 0));
        }
    }
}
