using System.Text;
using Hazumu.Gateway.Tests.Streams;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Answers in chunks that arrive in pieces of any size: the client gets every byte, and the connection serves the next request.</summary>
public sealed class PieceTests
{
    private const string Lines = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":{\"content\":\"b\"},\"done\":false}\n{\"done\":true}\n";

    // An event ends here as an answer in chunks does: by an empty line with carriage returns.
    private const string Events = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\ndata: [DONE]\r\n\r\n";

    [Theory]
    [InlineData(1, "0\r\n\r\n")]
    [InlineData(3, "0\r\n\r\n")]
    [InlineData(3, "0\r\nX-Checksum: 1\r\n\r\n")]
    [InlineData(4, "000;last\r\n\r\n")]
    [InlineData(47, "0\r\n\r\n")]
    [InlineData(600, "0\r\n\r\n")]
    public async Task Answer_passes_whole_in_pieces_of_any_size(int size, string end)
    {
        await using var engine = RawEngine.Start(async exchange =>
        {
            await exchange.ReadBodyAsync();
            var isNative = exchange.Target == "/api/chat";
            await exchange.BeginAsync(isNative ? "application/x-ndjson" : "text/event-stream");
            var chunks = (isNative ? Lines : Events).Split('\n').SkipLast(1).Select(line => line + "\n");
            var all = Encoding.Latin1.GetBytes(string.Concat(chunks.Select(chunk => $"{chunk.Length:x}\r\n{chunk}\r\n")) + end);
            foreach (var piece in all.Chunk(size))
            {
                await exchange.SendAsync(piece);
                await Task.Delay(1);
            }
        });
        await using var gateway = await TestGateway.StartAsync(engine.Address);

        for (var request = 0; request < 3; request++)
        {
            Assert.Equal(Lines, (await gateway.Http.ChatAsync()).Text);
            Assert.Equal(Events, (await gateway.Http.ChatAsync("/v1/chat/completions")).Text);
        }

        await gateway.Measured.RequestsAsync(6);
        Assert.Equal(6, gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "success")));
    }
}
