using System.CommandLine;
using Hazumu.Cli.Doctor;
using Hazumu.Cli.Doctor.Clients;

namespace Hazumu.Cli;

/// <summary>The command <c>models</c>: shows the names, the pinned models, the models and the instances of a running gateway.</summary>
internal static class ModelsCommand
{
    private const string PortVariable = "Hazumu__Gateway__ManagementPort";
    private const string DefaultPort = "11436";
    private const string Gap = "  ";

    /// <summary>Creates the command.</summary>
    /// <param name="variable">Looks up an environment variable.</param>
    public static Command Create(Func<string, string?> variable)
    {
        var gateway = DoctorCommand.CreateAddress("--gateway", "the gateway's management port");
        var command = new Command(
            "models",
            $"Shows the names, models and instances of a running gateway; without --gateway, of the one on "
            + $"http://localhost:{DefaultPort}, or on the port that {PortVariable} sets.")
        {
            gateway,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var port = variable(PortVariable) is { Length: > 0 } set ? set : DefaultPort;
            var address = result.GetValue(gateway) ?? new Uri($"http://localhost:{port}");
            using var http = ComponentClient.CreateHttpClient();
            try
            {
                var client = new ComponentClient(http, "The gateway's management port", address);
                var report = await client.GetAsync<Report>("models", cancellationToken);
                await WriteAsync(result.InvocationConfiguration.Output, report);
                return 0;
            }
            catch (CheckException problem)
            {
                throw new CliException(problem.Message);
            }
        });
        return command;
    }

    private static async Task WriteAsync(TextWriter output, Report report)
    {
        if (report.Names.Count > 0)
        {
            await WriteTableAsync(output, ["NAME", "MODELS", "QUEUE", "LISTED"], report.Names.Select(name => new[]
            {
                name.Name,
                string.Join(" → ", name.Models),
                name.QueueLongerThan is { } limit ? $"{limit} at most" : "any",
                name.IsListed ? "yes" : "no",
            }));
            await output.WriteLineAsync();
        }

        if (report.Pinned is { Count: > 0 } pinned)
        {
            await WriteTableAsync(output, ["PINNED", "KEPT", "LOADED", "AT", "PROBLEM"], pinned.Select(pin => new[]
            {
                pin.Model,
                pin.When,
                pin.Wanted == 0 ? "not now" : $"{pin.Loaded.Count} of {pin.Wanted}",
                string.Join(", ", pin.Loaded),
                pin.Problem ?? "",
            }));
            await output.WriteLineAsync();
        }

        await WriteTableAsync(output, ["MODEL", "INSTANCE", "IN MEMORY", "RUNNING", "WAITING"], report.Instances
            .SelectMany(instance => instance.Models.Select(model => (instance, model)))
            .OrderBy(held => held.model.Name, StringComparer.Ordinal)
            .Select(held => new[]
            {
                held.model.Name,
                held.instance.IsUp ? held.instance.Name : $"{held.instance.Name} (down)",
                held.model.IsInMemory ? "yes" : "no",
                $"{held.model.Running}",
                $"{report.Waiting.GetValueOrDefault(held.model.Name)}",
            }));
    }

    private static async Task WriteTableAsync(TextWriter output, string[] head, IEnumerable<string[]> cells)
    {
        string[][] rows = [head, .. cells];
        var widths = head.Select((_, column) => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows)
        {
            var cellsOfRow = row.Select((cell, column) => cell.PadRight(widths[column]));
            await output.WriteLineAsync(string.Join(Gap, cellsOfRow).TrimEnd());
        }
    }

    private sealed record Report(
        IReadOnlyList<NameReport> Names,
        IReadOnlyList<InstanceReport> Instances,
        IReadOnlyDictionary<string, int> Waiting,
        IReadOnlyList<PinReport>? Pinned = null);

    private sealed record NameReport(string Name, IReadOnlyList<string> Models, int? QueueLongerThan, bool IsListed);

    private sealed record PinReport(string Model, string When, int Wanted, IReadOnlyList<string> Loaded, string? Problem);

    private sealed record InstanceReport(string Name, bool IsUp, IReadOnlyList<HeldModelReport> Models);

    private sealed record HeldModelReport(string Name, bool IsInMemory, int Running);
}
