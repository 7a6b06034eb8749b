using System.CommandLine;
using System.IO.Compression;
using Hazumu.Cli.Images;

namespace Hazumu.Cli.Bundle;

/// <summary>The command <c>bundle</c>: writes an archive for a server that has no checkout.</summary>
internal static class BundleCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var noBuild = AppHostProgram.CreateNoBuildOption();
        var file = new Argument<FileInfo>("FILE") { Description = "The archive to write, such as hazumu.tar.gz." };
        file.Validators.Add(result =>
        {
            if (result.Tokens is [var path] && FindProblem(path.Value) is { } problem)
            {
                result.AddError(problem);
            }
        });
        var withImage = new Option<bool>("--with-image") { Description = "Adds the gateway's image, which no registry has." };
        var command = new Command("bundle", "Writes an archive with the Compose application for production, its configuration and its scripts.") { file, withImage, noBuild };
        command.SetAction(async (result, cancellationToken) =>
        {
            var checkout = Checkout.Find();
            var program = new AppHostProgram(checkout, result.GetValue(noBuild));
            var target = result.GetRequiredValue(file);
            var work = Directory.CreateTempSubdirectory("hazumu-bundle-");
            try
            {
                var version = await BundleVersion.ReadAsync(checkout, cancellationToken);
                var folder = Path.Combine(work.FullName, BundleArchive.Folder);
                await program.PublishAsync("publish", folder, cancellationToken);
                var image = result.GetValue(withImage) ? Path.Combine(work.FullName, BundleArchive.ImageFile) : null;
                if (image is not null)
                {
                    await WriteImageAsync(checkout, await program.DescribeWithEngineAsync(cancellationToken), image, Report, cancellationToken);
                }

                await BundleArchive.WriteAsync(folder, image, version, target.FullName);
                Report($"{target.FullName} has the application of {version}{(image is null ? ", without the gateway's image" : "")}.");
                return 0;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                throw new CliException($"The archive {target.FullName} cannot be written: {failure.Message}");
            }
            finally
            {
                work.Delete(recursive: true);
            }

            void Report(string sentence) => result.InvocationConfiguration.Error.WriteLine($"hazumu: {sentence}");
        });
        return command;
    }

    // The parser binds an unknown option to FILE.
    private static string? FindProblem(string path)
    {
        if (string.IsNullOrWhiteSpace(path) || path.StartsWith('-'))
        {
            return $"'{path}' is neither an option nor the name of an archive; name one such as hazumu.tar.gz.";
        }

        if (Directory.Exists(path))
        {
            return $"'{path}' is a folder; name a file, such as {Path.Combine(path, "hazumu.tar.gz")}.";
        }

        return Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path)))
            ? null
            : $"The folder of '{path}' does not exist; create it, or name a file in another.";
    }

    private static async Task WriteImageAsync(Checkout checkout, GraphDescription graph, string file, Action<string> report, CancellationToken cancellationToken)
    {
        var gateway = graph["Gateway"];
        var store = new ImageStore(graph.Engine, report, TimeProvider.System);
        try
        {
            await new GatewayImageBuilder(checkout, graph.Engine, store, report).EnsureAsync(gateway, cancellationToken);
        }
        catch (CliException problem)
        {
            if (!await store.HasAsync(gateway.Image, cancellationToken))
            {
                throw new CliException($"There is no image of the gateway: {problem.Message}.");
            }

            report($"The archive gets {gateway.Image} as it is on this machine, which may be from another commit: {problem.Message}.");
        }

        await using var output = new GZipStream(File.Create(file), CompressionLevel.Optimal);
        await store.SaveAsync(gateway.Image, output, cancellationToken);
        if (gateway.ImageSetting is not null)
        {
            report($"Write Hazumu__Gateway__Image={gateway.Image} into .env on the server; the archive contains this image.");
        }
    }
}
