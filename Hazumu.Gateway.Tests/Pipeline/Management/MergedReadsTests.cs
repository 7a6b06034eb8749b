using Hazumu.Gateway.Tests.Serving;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Pipeline.Management;

public sealed class MergedReadsTests
{
    [Fact]
    public async Task Times_of_models_keep_the_engines_spelling()
    {
        var options = new MockEngineOptions { Models = [new MockModel("mock") { ModifiedAt = new(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(9)) }] };
        await using var first = await MockEngine.StartAsync(options);
        await using var second = await MockEngine.StartAsync(options);
        await using var gateway = await TestGateway.StartAsync([("first", first.Address), ("second", second.Address)]);

        var list = await gateway.Http.AnswerAsync(HttpMethod.Get, "/api/tags");

        Assert.Contains("\"modified_at\":\"2026-01-02T03:04:05+09:00\"", list.Text, StringComparison.Ordinal);
    }
}
