using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Hazumu.Cli.Bundle;

/// <summary>Gets the gateway's image as a file: no registry has it.</summary>
/// <param name="checkout">The checkout.</param>
/// <param name="engine">The container engine's command.</param>
/// <param name="progress">Receives what is done.</param>
internal sealed class GatewayImageBuilder(BundleCheckout checkout, string engine, TextWriter progress)
{
    /// <summary>The image's name in the published application; the project file has it too.</summary>
    public const string Name = "localhost/hazumu/gateway:dev";

    private static readonly Uri s_registry = new("https://mcr.microsoft.com/v2/");
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Writes the image: built from the checkout by the .NET SDK if the registry of its base image answers; otherwise built from Debian's packages;
    /// otherwise the one that the engine has.
    /// </summary>
    /// <param name="file">The file to write.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CliException">There is none.</exception>
    public async Task WriteAsync(string file, CancellationToken cancellationToken)
    {
        if (await RegistryAnswersAsync(cancellationToken))
        {
            await PublishAsync(file, cancellationToken);
            return;
        }

        await progress.WriteLineAsync($"{s_registry.Host} does not answer; building the gateway's image from Debian's packages.");
        var debian = OperatingSystem.IsLinux()
            ? await checkout.RunAsync("eng/images-from-debian.sh", ["gateway"], cancellationToken)
            : (ExitCode: 1, Output: "needs Debian");
        if (debian.ExitCode != 0)
        {
            var existing = await checkout.RunAsync(engine, ["image", "inspect", Name], cancellationToken);
            if (existing.ExitCode != 0)
            {
                throw new CliException(
                    $"There is no image of the gateway: {s_registry.Host} does not answer, eng/images-from-debian.sh failed ({BundleCheckout.LastLine(debian.Output)}), and {engine} has no {Name}.");
            }

            await progress.WriteLineAsync($"eng/images-from-debian.sh failed ({BundleCheckout.LastLine(debian.Output)}); using {Name} as it is on this machine.");
        }

        await SaveAsync(file, cancellationToken);
    }

    private static async Task<bool> RegistryAnswersAsync(CancellationToken cancellationToken)
    {
        using var client = new HttpClient { Timeout = s_limit };
        try
        {
            using var answer = await client.GetAsync(s_registry, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception failure) when (failure is HttpRequestException || (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    private async Task PublishAsync(string file, CancellationToken cancellationToken)
    {
        await progress.WriteLineAsync("Building the gateway's image.");
        var architecture = RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        var archive = $"{file}.tar";
        var (exitCode, output) = await checkout.RunAsync(
            "dotnet",
            ["publish", "Hazumu.Gateway", "--os", "linux-musl", "--arch", architecture, "-t:PublishContainer", $"-p:ContainerArchiveOutputPath={archive}"],
            cancellationToken);
        if (exitCode != 0)
        {
            throw new CliException($"The gateway's image cannot be built: {BundleCheckout.LastLine(output)}");
        }

        await using (var image = File.OpenRead(archive))
        {
            await CompressAsync(image, file, cancellationToken);
        }

        File.Delete(archive);
    }

    private async Task SaveAsync(string file, CancellationToken cancellationToken)
    {
        using var save = BundleCheckout.Begin(checkout.Start(engine, "save", Name));
        var problem = save.StandardError.ReadToEndAsync(cancellationToken);
        await CompressAsync(save.StandardOutput.BaseStream, file, cancellationToken);
        await save.WaitForExitAsync(cancellationToken);
        if (save.ExitCode != 0)
        {
            throw new CliException($"'{engine} save {Name}' failed: {BundleCheckout.LastLine(await problem)}");
        }
    }

    private static async Task CompressAsync(Stream image, string file, CancellationToken cancellationToken)
    {
        await using var target = File.Create(file);
        await using var compressed = new GZipStream(target, CompressionLevel.Fastest);
        await image.CopyToAsync(compressed, cancellationToken);
    }
}
