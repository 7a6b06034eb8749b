using System.Text;
using System.Text.Json;
using Hazumu.Gateway.Pipeline.Management;

namespace Hazumu.Gateway.Tests.Pipeline.Management;

/// <summary>One progress of several instances.</summary>
public sealed class CombinedProgressTests
{
    [Fact]
    public void Layer_is_as_far_as_the_slowest_instance_has_it()
    {
        var progress = new CombinedProgress(2);

        progress.Report(0, Line("""{"status":"pulling 1","digest":"sha256:1","total":10,"completed":8}"""));
        progress.Report(1, Line("""{"status":"pulling 1","digest":"sha256:1","total":10,"completed":3}"""));
        progress.Report(0, Line("""{"status":"pulling 1","digest":"sha256:1","total":10,"completed":10}"""));
        progress.Report(1, Line("""{"status":"pulling 1","digest":"sha256:1","total":10,"completed":10}"""));

        Assert.Equal(
            [
                """{"status":"pulling 1","digest":"sha256:1","total":10,"completed":0}""",
                """{"status":"pulling 1","digest":"sha256:1","total":10,"completed":3}""",
                """{"status":"pulling 1","digest":"sha256:1","total":10,"completed":10}""",
            ],
            Written(progress));
    }

    [Fact]
    public void Status_is_reported_once_when_all_instances_have_reached_it()
    {
        var progress = new CombinedProgress(2);

        progress.Report(0, Line("""{"status":"pulling manifest"}"""));
        Assert.Empty(Written(progress));
        progress.Report(1, Line("""{"status":"pulling manifest"}"""));
        progress.Report(1, Line("""{"status":"pulling manifest"}"""));

        Assert.Equal(["""{"status":"pulling manifest"}"""], Written(progress));
    }

    [Fact]
    public void Ended_instance_does_not_hold_up_the_others()
    {
        var progress = new CombinedProgress(2);

        progress.Report(0, Line("""{"status":"pulling 1","digest":"sha256:1","total":10,"completed":6}"""));
        progress.End(1);
        progress.Report(0, Line("""{"status":"success"}"""));
        progress.End(0);

        Assert.Equal(
            [
                """{"status":"pulling 1","digest":"sha256:1","total":10,"completed":0}""",
                """{"status":"pulling 1","digest":"sha256:1","total":10,"completed":6}""",
                """{"status":"success"}""",
                """{"status":"pulling 1","digest":"sha256:1","total":10,"completed":10}""",
            ],
            Written(progress));
        Assert.True(progress.Lines.Completion.IsCompleted);
    }

    private static JsonElement Line(string json) => JsonSerializer.Deserialize<JsonElement>(json);

    private static List<string> Written(CombinedProgress progress)
    {
        var lines = new List<string>();
        while (progress.Lines.TryRead(out var line))
        {
            Assert.Equal((byte)'\n', line[^1]);
            lines.Add(Encoding.UTF8.GetString(line).TrimEnd());
        }

        return lines;
    }
}
