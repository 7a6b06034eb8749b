using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Hazumu.Gateway.Pipeline.Clients;

/// <summary>The addresses that belong to one client: one of IPv4; of IPv6 the network, since a client that has one address of it has all.</summary>
internal readonly record struct AddressBlock(bool IsIPv6, ulong Network)
{
    /// <summary>The block of an address.</summary>
    public static AddressBlock Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        plain.TryWriteBytes(bytes, out _);
        return plain.AddressFamily == AddressFamily.InterNetworkV6
            ? new(true, BinaryPrimitives.ReadUInt64BigEndian(bytes))
            : new(false, BinaryPrimitives.ReadUInt32BigEndian(bytes));
    }
}
