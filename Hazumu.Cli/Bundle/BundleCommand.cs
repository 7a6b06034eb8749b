using System.CommandLine;

namespace Hazumu.Cli.Bundle;

/// <summary>The command <c>bundle</c>: writes an archive for a server that has no checkout.</summary>
internal static class BundleCommand
{
    /// <summary>Creates the command.</summary>
    /// <param name="variable">Looks up an environment variable.</param>
    public static Command Create(Func<string, string?> variable)
    {
        var file = new Argument<string>("FILE") { Description = "The archive to write, such as hazumu.tar.gz." };
        var withImage = new Option<bool>("--with-image") { Description = "Adds the gateway's image, which no registry has." };
        var command = new Command("bundle", "Writes an archive with the Compose application for production, its configuration and its scripts.") { file, withImage };
        command.SetAction(async (result, cancellationToken) =>
        {
            var checkout = BundleCheckout.Find(Environment.CurrentDirectory, AppContext.BaseDirectory);
            var target = Path.GetFullPath(result.GetRequiredValue(file));
            var work = Directory.CreateTempSubdirectory("hazumu-bundle-");
            try
            {
                var version = await BundleVersion.ReadAsync(checkout, cancellationToken);
                var folder = Path.Combine(work.FullName, BundleArchive.Folder);
                await checkout.PublishAsync("publish", folder, cancellationToken);
                var image = result.GetValue(withImage) ? Path.Combine(work.FullName, BundleArchive.ImageFile) : null;
                if (image is not null)
                {
                    var engine = variable("ASPIRE_CONTAINER_RUNTIME") is { Length: > 0 } named ? named : "docker";
                    await new GatewayImageBuilder(checkout, engine, result.InvocationConfiguration.Error).WriteAsync(image, cancellationToken);
                }

                await BundleArchive.WriteAsync(folder, image, version, target);
                await result.InvocationConfiguration.Output.WriteLineAsync($"{target} has the application of {version}{(image is null ? ", without the gateway's image" : "")}.");
            }
            finally
            {
                work.Delete(recursive: true);
            }
        });
        return command;
    }
}
