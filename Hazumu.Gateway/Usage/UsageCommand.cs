using System.CommandLine;
using System.CommandLine.Parsing;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Usage;

/// <summary>The command line <c>usage</c>: reads the store of the gateway's settings, whether a gateway runs or not.</summary>
/// <remarks>Exits with 0; with 1 if the store cannot be read; with 2 if the command line is wrong.</remarks>
internal static class UsageCommand
{
    /// <summary>The word that the command line begins with.</summary>
    public const string Name = "usage";

    private const int Failed = 1;
    private const int Misunderstood = 2;

    /// <summary>Whether a command line is for this command, and not for the gateway.</summary>
    public static bool IsAsked(IReadOnlyList<string> args) => args is [Name, ..];

    /// <summary>Runs the command.</summary>
    /// <param name="args">The whole command line, <c>usage</c> included.</param>
    /// <param name="options">Where usage is kept.</param>
    /// <param name="output">Receives the report.</param>
    /// <param name="error">Receives problems.</param>
    /// <param name="time">The clock.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, UsageOptions options, TextWriter output, TextWriter error, TimeProvider time)
    {
        var by = Text("--by", "The groups of usage, separated by commas: " + string.Join(", ", UsageQuery.Dimensions.Select(dimension => dimension.Name)) + "; by default day and key.", "key,model");
        by.DefaultValueFactory = _ => "day,key";
        var csv = new Option<bool>("--csv") { Description = "Writes CSV in place of a table." };
        List<Option<string>> parts =
        [
            by,
            Text("--from", "The first day, or a time; by default the first day of this month.", "2026-11-01"),
            Text("--to", "The last day, or a time before which requests began; by default now.", "2026-11-30"),
            .. UsageQuery.Filterable.Select(name => Text($"--{name}", $"Only requests of this {name}.", "NAME")),
            Text("--limit", $"The most rows, from 1 to {UsageQuery.MaxRows}.", "N"),
        ];
        var command = new Command(Name, "Shows what keys, users and models have used: requests, tokens and times.") { csv };
        parts.ForEach(command.Add);
        command.SetAction(async (result, cancellation) =>
        {
            if (!options.IsEnabled)
            {
                await error.WriteLineAsync("Usage is not recorded; set 'Gateway:Usage:File' or 'Gateway:Usage:Database', as the gateway has it.");
                return Failed;
            }

            UsageStore.Check(options);
            var parameters = parts.Where(option => result.GetValue(option) is not null).ToDictionary(option => option.Name[2..], option => result.GetValue(option)!);
            var calendar = new UsageCalendar(options);
            await using var store = new UsageStore(options, calendar);
            var report = await store.ReadAsync(UsageQuery.Parse(parameters, calendar, time.GetUtcNow()), cancellation);
            if (result.GetValue(csv))
            {
                await output.WriteAsync(UsageFormat.ToCsv(report));
            }
            else
            {
                await UsageFormat.WriteTableAsync(output, report);
            }

            if (report.IsTruncated)
            {
                await error.WriteLineAsync($"There are more than {report.Query.Limit} rows; choose a shorter time or fewer dimensions.");
            }

            return 0;
        });
        var parsed = new RootCommand("Hazumu's inference gateway; without a command it serves.") { command }.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            await error.WriteLineAsync(string.Join(Environment.NewLine, parsed.Errors.Select(problem => problem.Message)));
            return Misunderstood;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (UsageQueryException problem)
        {
            await error.WriteLineAsync(problem.Message);
            return Misunderstood;
        }
        catch (Exception problem) when (UsageStore.IsOutage(problem))
        {
            await error.WriteLineAsync($"Usage cannot be read: {problem.Message}");
            return Failed;
        }
        catch (OperationCanceledException)
        {
            return Failed;
        }
    }

    private static Option<string> Text(string name, string description, string example) => new(name) { Description = description, HelpName = example };
}
