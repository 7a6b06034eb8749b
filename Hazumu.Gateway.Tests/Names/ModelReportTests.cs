using System.Text.Json;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Mocks;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Names;

public sealed class ModelReportTests
{
    [Fact]
    public async Task The_management_port_reports_names_and_who_has_which_model()
    {
        var port = ClusterGroup.FreePort();
        await using var a = await MockEngine.StartAsync(new() { Models = [new("big"), new("small:1b")] });
        await using var b = await MockEngine.StartAsync(new() { Models = [new("small:1b")] });
        await using var gateway = await TestGateway.StartAsync(
            [("a", a.Address), ("b", b.Address)],
            "--urls=http://127.0.0.1:0",
            $"--Gateway:Management:Port={port}",
            "--Gateway:ModelNames:0:Name=team",
            "--Gateway:ModelNames:0:Models=big,small:1b",
            "--Gateway:ModelNames:0:QueueLongerThan=3",
            "--Gateway:ModelNames:0:List=true",
            "--Gateway:PinnedModels:0:Model=absent",
            "--Gateway:PinnedModels:0:LoadAt=00:00",
            "--Gateway:PinnedModels:0:KeepFor=24h");
        Assert.Equal(200, (await gateway.Http.ChatAsync(body: Ask.Body(model: "team"))).Status);
        using var management = TestGateway.Client(new Uri($"http://127.0.0.1:{port}"));

        await Wait.UntilAsync(() => Assert.Single(gateway.Service<PinnedModelLoader>().Current));

        var report = JsonDocument.Parse((await management.AnswerAsync(HttpMethod.Get, "/models")).Text).RootElement;

        Assert.Equal("""{"name":"team","models":["big","small:1b"],"queueLongerThan":3,"isListed":true}""", Assert.Single(report.GetProperty("names").EnumerateArray()).GetRawText());
        Assert.Equal(
            """[{"model":"absent","when":"00:00, for 1d","wanted":1,"loaded":[],"problem":"no engine that may keep it has it: pull it, or set 'Pull'","missing":1}]""",
            report.GetProperty("pinned").GetRawText().Replace("\\u0027", "'", StringComparison.Ordinal));
        Assert.Equal(
            """[{"name":"a","isUp":true,"models":[{"name":"big:latest","isInMemory":true,"running":0},{"name":"small:1b","isInMemory":false,"running":0}]},{"name":"b","isUp":true,"models":[{"name":"small:1b","isInMemory":false,"running":0}]}]""",
            report.GetProperty("instances").GetRawText());
    }
}
