using System.CommandLine;
using System.IO.Compression;

namespace Hazumu.Cli.Images;

/// <summary>The command <c>image</c>: writes the gateway's image to a file.</summary>
internal static class ImageFileCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var noBuild = AppHostProgram.CreateNoBuildOption();
        var file = new Argument<FileInfo>("FILE") { Description = "The file to write, such as gateway.tar.gz." };
        var command = new Command("image", "Writes the gateway's image to a file, for a server without a checkout.") { file, noBuild };
        command.SetAction(async (result, cancellationToken) =>
        {
            var (checkout, error) = (Checkout.Find(), result.InvocationConfiguration.Error);
            var graph = await new AppHostProgram(checkout, result.GetValue(noBuild)).DescribeWithEngineAsync(cancellationToken);
            var store = new ImageStore(graph.Engine, Report, TimeProvider.System);
            try
            {
                await new GatewayImageBuilder(checkout, graph.Engine, store, Report).EnsureAsync(graph["Gateway"], cancellationToken);
            }
            catch (CliException problem)
            {
                throw new CliException($"There is no image of the gateway: {problem.Message}.");
            }

            var target = result.GetRequiredValue(file);
            await using (var output = new GZipStream(target.Create(), CompressionLevel.Optimal))
            {
                await store.SaveAsync(graph["Gateway"].Image, output, cancellationToken);
            }

            Report($"{graph["Gateway"].Image} is in {target.FullName}; '{graph.Engine} load --input {target.Name}' loads it.");
            return 0;

            void Report(string sentence) => error.WriteLine($"hazumu: {sentence}");
        });
        return command;
    }
}
