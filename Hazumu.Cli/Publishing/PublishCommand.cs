using System.CommandLine;

namespace Hazumu.Cli.Publishing;

/// <summary>The command <c>publish</c>: writes the Compose application and the chart from the AppHost.</summary>
internal static class PublishCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var noBuild = AppHostProgram.CreateNoBuildOption();
        var command = new Command("publish", "Writes deploy/compose and deploy/kubernetes from the AppHost.") { noBuild };
        command.SetAction(async (result, cancellationToken) =>
        {
            await RunAsync(Checkout.Find(), result.GetValue(noBuild), result.InvocationConfiguration.Error, cancellationToken);
            return 0;
        });
        return command;
    }

    /// <summary>Publishes into the checkout.</summary>
    public static async Task RunAsync(Checkout checkout, bool isBuilt, TextWriter error, CancellationToken cancellationToken)
    {
        foreach (var (step, folder) in new[] { ("publish", "deploy/compose"), ("publish-chart", "deploy/kubernetes") })
        {
            await new AppHostProgram(checkout, isBuilt).PublishAsync(step, Path.Combine(checkout.Root, folder), cancellationToken);
            await error.WriteLineAsync($"hazumu: {folder} has been updated.");
        }
    }
}
