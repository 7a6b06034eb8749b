using System.Globalization;
using System.Text;
using Hazumu.Bench.Processes;

namespace Hazumu.Bench.Reports;

/// <summary>The sizing benchmark as tables.</summary>
internal static class SizingReport
{
    public static string Write(
        SizingSettings settings, Machine machine, IReadOnlyList<SizingMeasurement> sizes, IReadOnlyList<AdmissionMeasurement> admissions)
    {
        var text = new StringBuilder();
        text.AppendLine(machine.ToString()).AppendLine();
        text.AppendLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Simulated: one mock engine that listens at as many addresses as there are instances; {1 / settings.TokenSeconds:0.##} token(s) a second and stream. Each step has fresh processes and counts {settings.Seconds:0.#} s; small requests from {settings.Connections} connections go to the youngest gateway. CPU is milliseconds of one core."));
        text.AppendLine();
        var table = new TextTable(
            "instances", "gateways", "streams", "idle CPU/s", "idle MiB", "chunks/s", "CPU per 1,000", "chunk p50 ms", "p99 ms", "KiB per stream", "descriptors", "requests/s", "CPU per 1,000", "of who admits", "others", "failed");
        foreach (var one in sizes)
        {
            table.Add(
                Whole(one.Step.Instances),
                Whole(one.Step.Gateways),
                Whole(one.Step.Streams),
                Format(one.IdlePerSecond, "0.0"),
                Format(one.IdleBytes / 1048576, "0.0"),
                Format(one.ChunksPerSecond, "#,0"),
                Format(one.PerThousandChunks, "0.0"),
                Format(one.LatencyP50, "0.00"),
                Format(one.LatencyP99, "0.0"),
                one.HasGrown ? Format(one.BytesPerStream / 1024, "0.0") : "",
                Whole(one.Descriptors),
                Format(one.RequestsPerSecond, "#,0"),
                Format(one.PerThousandRequests, "0.0"),
                one.Step.Gateways == 1 ? "" : Format(one.PerThousandAdmissions, "0.0"),
                Format(one.Others, "0 %"),
                one.Errors == 0 ? "0" : $"{one.Errors}: {one.Error}");
        }

        text.Append(table).AppendLine().AppendLine("To give a slot and take it back: microseconds of CPU").AppendLine();
        table = new TextTable("instances", "slots free", "all full, 1,000 wait");
        foreach (var one in admissions)
        {
            table.Add(Whole(one.Instances), Format(one.Free, "0.00"), Format(one.Full, "0.00"));
        }

        return text.Append(table).ToString();
    }

    private static string Whole(int value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
