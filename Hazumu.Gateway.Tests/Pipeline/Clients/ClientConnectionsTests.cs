using System.Net;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Clients;

namespace Hazumu.Gateway.Tests.Pipeline.Clients;

public sealed class ClientConnectionsTests
{
    private const long Gigabyte = 1L << 30;

    [Theory]
    [InlineData(349_440L, Gigabyte, false, 8192L, 2048L)]
    [InlineData(null, Gigabyte, true, 8192L, 8192L)]
    [InlineData(148L, 64 * Gigabyte, false, 148L, 256L)]
    [InlineData(null, 1024L, false, 1L, 256L)]
    public void The_limits_follow_memory_and_open_files(long? openFiles, long memory, bool isBehindProxy, long all, long perAddress) =>
        Assert.Equal((all, perAddress), new ClientConnections(new(), openFiles, memory, isBehindProxy).Limits);

    [Fact]
    public void Settings_take_their_place() =>
        Assert.Equal((7, 3), new ClientConnections(new() { Limit = 7, PerAddress = 3 }, 100, Gigabyte, isBehindProxy: true).Limits);

    [Fact]
    public void One_address_leaves_room_for_others()
    {
        var connections = new ClientConnections(new() { Limit = 5, PerAddress = 2 }, null, Gigabyte, isBehindProxy: false);
        var (one, other) = (AddressBlock.Of(IPAddress.Parse("192.0.2.1")), AddressBlock.Of(IPAddress.Parse("192.0.2.2")));

        Assert.True(connections.TryEnter(one));
        Assert.True(connections.TryEnter(one));
        Assert.False(connections.TryEnter(one));
        Assert.True(connections.TryEnter(other));

        connections.Leave(one);
        Assert.True(connections.TryEnter(one));
        Assert.False(connections.TryEnter(one));
    }

    [Fact]
    public void All_together_have_a_limit()
    {
        var connections = new ClientConnections(new() { Limit = 2, PerAddress = 2 }, null, Gigabyte, isBehindProxy: false);

        Assert.True(connections.TryEnter(new AddressBlock(false, 1)));
        Assert.True(connections.TryEnter(new AddressBlock(false, 2)));
        Assert.False(connections.TryEnter(new AddressBlock(false, 3)));
        connections.Leave(new AddressBlock(false, 1));
        Assert.True(connections.TryEnter(new AddressBlock(false, 3)));
    }

    [Theory]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("2001:db8::1", "2001:db8::ffff:1", true)]
    [InlineData("2001:db8::1", "2001:db8:0:1::1", false)]
    [InlineData("0.0.0.1", "::1", false)]
    public void An_IPv6_network_counts_as_one_address(string one, string other, bool isSame) =>
        Assert.Equal(isSame, AddressBlock.Of(IPAddress.Parse(one)) == AddressBlock.Of(IPAddress.Parse(other)));
}
