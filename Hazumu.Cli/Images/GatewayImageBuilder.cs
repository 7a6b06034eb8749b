using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;

namespace Hazumu.Cli.Images;

/// <summary>Builds the gateway's image, which no registry has, from the checkout as it is.</summary>
/// <param name="checkout">The checkout.</param>
/// <param name="engine">The engine's command.</param>
/// <param name="store">The engine's images.</param>
/// <param name="progress">Receives sentences about what goes on.</param>
internal sealed partial class GatewayImageBuilder(Checkout checkout, string engine, ImageStore store, Action<string> progress)
{
    private const string Dockerfile = "Hazumu.Gateway/Dockerfile";

    /// <summary>Has the image on this machine: by its Dockerfile, else from this machine's .NET runtime and Debian's packages.</summary>
    /// <param name="gateway">The gateway.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="CliException">The image cannot be had.</exception>
    public async Task EnsureAsync(GraphComponent gateway, CancellationToken cancellationToken)
    {
        if (gateway.ImageSetting is not null)
        {
            var pull = await store.EnsureAsync(gateway.Image, cancellationToken);
            if (pull.Outcome != PullOutcome.Pulled)
            {
                throw new CliException($"the image {gateway.Image} (Hazumu:Gateway:Image) cannot be pulled ({pull.Reason})");
            }

            return;
        }

        foreach (Match stage in Stage().Matches(await File.ReadAllTextAsync(Path.Combine(checkout.Root, Dockerfile), cancellationToken)))
        {
            var image = stage.Groups["image"].Value;
            var pull = await store.EnsureAsync(image, cancellationToken);
            if (pull.Outcome != PullOutcome.Pulled)
            {
                progress($"{image} cannot be pulled ({pull.Reason}): building the gateway's image from this machine's .NET runtime and Debian's packages (log: .hazumu/gateway-image.log).");
                await RunAsync(Path.Combine(checkout.Root, "eng", "images-from-debian.sh"), ["gateway"], cancellationToken);
                return;
            }
        }

        progress($"Building the image {gateway.Image} (log: .hazumu/gateway-image.log).");
        await RunAsync(engine, ["build", "--file", Dockerfile, "--tag", gateway.Image, "."], cancellationToken);
    }

    private async Task RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var build = await CliWrap.Cli.Wrap(program)
            .WithArguments(arguments)
            .WithWorkingDirectory(checkout.Root)
            .WithEnvironmentVariables(variables => variables.Set("DOCKER_BUILDKIT", "1"))
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(checkout.State, "gateway-image.log"), build.StandardOutput + build.StandardError, cancellationToken);
        if (build.ExitCode != 0)
        {
            throw new CliException($"its image cannot be built ({build.StandardError.TrimEnd().Split('\n')[^1]}); .hazumu/gateway-image.log has more");
        }
    }

    [GeneratedRegex("^FROM (?<image>[^ \n]+)", RegexOptions.Multiline)]
    private static partial Regex Stage();
}
