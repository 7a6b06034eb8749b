using System.Net.Sockets;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>More clients than there are descriptors for.</summary>
public sealed class OpenFilesTests
{
    private const string Header = "Limit                     Soft Limit           Hard Limit           Units     ";

    [Theory]
    [InlineData("Max open files            20000                20000                files     ", 6581L)]
    [InlineData("Max open files            1048576              1048576              files     ", 349440L)]
    [InlineData("Max open files            100                  100                  files     ", 1L)]
    [InlineData("Max open files            unlimited            unlimited            files     ", null)]
    [InlineData("Max processes             20000                20000                processes ", null)]
    public void A_third_of_what_may_be_open_is_for_clients(string line, long? clients) => Assert.Equal(clients, OpenFiles.Clients([Header, line]));

    [Fact]
    public async Task A_connection_over_the_limit_of_open_files_is_refused_alone()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the limit of open files is read on Linux only");

        const int Limit = 700, Crowd = 400;
        await using var engine = await MockEngine.StartAsync(new() { Parallel = 1_000, Tokens = 100_000, TokenTime = TimeSpan.FromMilliseconds(200) });
        await using var gateway = await TestGatewayProcess.StartLimitedAsync(Limit, [("engine", engine.Address)], "--Gateway:Slots=1000");
        var connections = new List<RawConnection>();
        try
        {
            var (served, refused) = (0, 0);
            for (var client = 0; client < Crowd; client++)
            {
                var connection = await RawConnection.OpenAsync(gateway.Address);
                connections.Add(connection);
                try
                {
                    await connection.SendAsync("POST", "/api/chat", Ask.Body());
                    Assert.StartsWith("HTTP/1.1 200", (await connection.Reader.ReadHeadAsync())!.Value.First, StringComparison.Ordinal);
                    served++;
                }
                catch (Exception error) when (error is IOException or SocketException or InvalidOperationException)
                {
                    refused++;
                }
            }

            // The client of these tests has a connection open too.
            Assert.InRange(served, ((Limit - 256) / 3) - 2, (Limit - 256) / 3);
            Assert.Equal(Crowd, served + refused);
            Assert.Equal(served, engine.Statistics.InFlight);
        }
        finally
        {
            connections.ForEach(connection => connection.Dispose());
        }

        await engine.WaitUntilAsync(engine => engine.Statistics.InFlight == 0);
        using var next = await gateway.Http.BeginAsync();
        Assert.Equal(200, (int)next.StatusCode);
    }
}
