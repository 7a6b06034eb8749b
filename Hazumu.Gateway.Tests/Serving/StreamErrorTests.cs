using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Streams that begin with 200 and end badly.</summary>
public sealed class StreamErrorTests
{
    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task An_error_inside_a_stream_passes_as_it_is_and_is_counted(string path)
    {
        await using var engines = await Two.StartAsync();
        engines.A.Inject(new MockFault(MockFaultKind.ErrorInStream) { AfterTokens = 2, Message = "the runner has died" });

        var answer = await engines.Gateway.Http.ChatAsync(path);

        Assert.Equal(200, answer.Status);
        Assert.Contains("the runner has died", answer.Text, StringComparison.Ordinal);
        Assert.Empty(engines.B.Inferences());
        await engines.Gateway.Measured.RequestsAsync(1);
        Assert.Equal(1, engines.Gateway.Measured.Sum("hazumu.gateway.requests", ("outcome", "stream_error")));
        await engines.Gateway.MeasuresAsync(1, "hazumu.gateway.errors", ("error.type", "stream_error"));
        Assert.Empty(engines.Gateway.Measured.Of("gen_ai.server.time_to_first_token"));
    }
}
