using System.Globalization;
using System.Text;
using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Tests.Faults;

/// <summary>What a time without faults led to.</summary>
/// <param name="Minutes">How long it was.</param>
/// <param name="Requests">Requests of the steady load that ended in it.</param>
/// <param name="Failed">How many of them failed.</param>
/// <param name="Paged">The alerts that paged.</param>
/// <param name="Fired">The alerts that fired.</param>
/// <param name="On">The day.</param>
public sealed record HealthyResult(double Minutes, int Requests, int Failed, IReadOnlyList<string> Paged, IReadOnlyList<string> Fired, DateOnly On);

/// <summary>The table of <c>docs/faults.md</c>. Results are kept below <c>.hazumu/faults</c>, so that it can be made in several runs.</summary>
public static class FaultTable
{
    private const string Begin = "<!-- faults: made by ./hazumu faults -->\n";
    private const string End = "\n<!-- /faults -->";

    private static readonly string s_document = RepositoryRoot.Combine("docs", "faults.md");
    private static readonly string s_folder = RepositoryRoot.Combine(".hazumu", "faults");

    /// <summary>Keeps a fault's result and writes the table anew.</summary>
    /// <param name="result">The result.</param>
    public static Task AddAsync(FaultResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return AddAsync(result.Fault, result);
    }

    /// <summary>Keeps the result of a time without faults and writes the table anew.</summary>
    /// <param name="result">The result.</param>
    public static Task AddAsync(HealthyResult result) => AddAsync("Healthy", result);

    private static async Task AddAsync<T>(string name, T result)
    {
        Directory.CreateDirectory(s_folder);
        await File.WriteAllTextAsync(ResultFile(name), JsonSerializer.Serialize(result));
        await File.WriteAllTextAsync(Path.Combine(s_folder, "conditions.txt"), await DescribeConditionsAsync());
        await WriteAsync();
    }

    private static string ResultFile(string name) => Path.Combine(s_folder, $"{name.ToLowerInvariant().Replace(' ', '-')}.json");

    private static T? Read<T>(string name) where T : class => File.Exists(ResultFile(name)) ? JsonSerializer.Deserialize<T>(File.ReadAllText(ResultFile(name))) : null;

    private static async Task WriteAsync()
    {
        var text = new StringBuilder(await File.ReadAllTextAsync(Path.Combine(s_folder, "conditions.txt")));
        text.Append("\n| fault | alert | after | what else fired | cleared | requests that failed |\n|---|---|---|---|---|---|\n");
        foreach (var fault in InjectedFault.All)
        {
            if (fault.Missing is { } reason)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {fault.Name} | not injected: {reason} | | | | |\n");
            }
            else if (Read<FaultResult>(fault.Name) is { } result)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {fault.Name} | {Alert(fault)} | {Seconds(fault, result.After, FaultResult.TargetAfter)} | {Others(result)} | {Seconds(fault, result.Cleared, FaultResult.TargetCleared)} | {result.Failed} of {result.Requests} |\n");
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"| {fault.Name} | not run | | | | |\n");
            }
        }

        if (Read<HealthyResult>("Healthy") is { } healthy)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{healthy.Minutes:0} minutes of the same load without a fault: {Count(healthy.Paged)} paged, {Count(healthy.Fired)} fired; {healthy.Failed} of {healthy.Requests} requests failed.\n");
        }

        text.Append("\nHow each was injected:\n\n");
        foreach (var fault in InjectedFault.All)
        {
            text.Append(CultureInfo.InvariantCulture, $"- {fault.Name}: {fault.How}.\n");
        }

        var document = await File.ReadAllTextAsync(s_document);
        var from = document.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        await File.WriteAllTextAsync(s_document, document[..from] + "\n" + text + document[document.IndexOf(End, StringComparison.Ordinal)..]);
    }

    private static string Alert(InjectedFault fault) => fault.Expectation switch
    {
        Expectation.Page => $"[{fault.Alert}](runbooks/{fault.Alert}.md)",
        Expectation.Warning => $"[{fault.Alert}](runbooks/{fault.Alert}.md), a warning",
        _ => "none, as it should be",
    };

    private static string Seconds(InjectedFault fault, double? seconds, int target) => seconds is not { } value
        ? fault.Expectation == Expectation.Silence ? "–" : "**never**"
        : value <= target ? $"{value:0} s" : $"**{value:0} s**";

    private static string Others(FaultResult result) => (result.Paged, result.Fired) switch
    {
        ([], []) => "nothing",
        ([], var fired) => string.Join(", ", fired),
        (var paged, []) => $"**paged: {string.Join(", ", paged)}**",
        var (paged, fired) => $"**paged: {string.Join(", ", paged)}**; {string.Join(", ", fired)}",
    };

    private static string Count(IReadOnlyList<string> alerts) => alerts.Count == 0 ? "nothing" : $"**{string.Join(", ", alerts)}**";

    private static async Task<string> DescribeConditionsAsync()
    {
        var engine = await ContainerCli.RunOrThrowAsync("version", "--format", "{{.Server.Version}}");
        var kernel = (await ContainerCli.RunOrThrowAsync("info", "--format", "{{.KernelVersion}}, {{.NCPU}} processors, {{.MemTotal}}")).Split(", ");
        var images = FaultBackend.Needed
            .Where(component => component != Component.Gateway)
            .Select(component => component.Image[(component.Image.LastIndexOf('/') + 1)..]);
        return string.Create(CultureInfo.InvariantCulture, $"""
            Linux {kernel[0]}, {kernel[1]}, {long.Parse(kernel[2].Split(' ')[0], CultureInfo.InvariantCulture) >> 30} GiB; engine {engine}; {string.Join(", ", images)}.
            Two Ollama instances with a slot each and a model of 300 KB, {SteadyLoad.Rate} requests per second through the gateway, two of three
            streamed; scrapes every 15 s. {DateTime.UtcNow:yyyy-MM-dd}; load average of the machine {Load()}.

            """);
    }

    // Of the last minute and of fifteen: whatever else the machine does makes an answer late.
    private static string Load()
    {
        var load = OperatingSystem.IsLinux() ? File.ReadAllText("/proc/loadavg").Split(' ') : [];
        return load.Length > 2 ? $"{load[0]}, in a quarter of an hour {load[2]}" : "not known";
    }
}
