using System.Text.Json;

namespace Hazumu.Bench.Reports;

/// <summary>The file for the numbers of every round.</summary>
internal static class ResultFile
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Writes results, into <c>bench/results</c> unless a file is named, and prints the path.</summary>
    public static string Write(string? path, string benchmark, object results)
    {
        if (path is null)
        {
            var bench = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Parent!.Parent!.Parent!;
            path = Path.Combine(bench.FullName, "results", $"{benchmark}-{DateTime.UtcNow:yyyyMMdd-HHmmss}.json");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, JsonSerializer.Serialize(results, s_json) + "\n");
        return path;
    }
}
