using System.ComponentModel;
using CliWrap.Buffered;

namespace Hazumu.Cli.Images;

/// <summary>Builds the gateway's image, which no registry has, from the checkout as it is.</summary>
/// <param name="checkout">The checkout.</param>
/// <param name="engine">The engine's command.</param>
/// <param name="store">The engine's images.</param>
/// <param name="progress">Receives sentences about what goes on.</param>
internal sealed class GatewayImageBuilder(Checkout checkout, string engine, ImageStore store, Action<string> progress)
{
    // The registry of the image that the gateway's is built on.
    private static readonly Uri s_registry = new("https://mcr.microsoft.com/v2/");
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Has the image on this machine: built by the .NET SDK, or if it cannot get the base image, from this machine's
    /// .NET runtime and Debian's packages.
    /// </summary>
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
        }
        else if (await FindRegistryProblemAsync(cancellationToken) is { } problem)
        {
            progress($"{s_registry.Host} does not answer ({problem}): building the gateway's image from this machine's .NET runtime and Debian's packages (log: .hazumu/gateway-image.log).");
            await RunAsync(checkout.DebianImages, ["gateway"], cancellationToken);
        }
        else
        {
            progress($"Building the image {gateway.Image} (log: .hazumu/gateway-image.log).");
            var registry = engine == "podman" ? "Podman" : "Docker";
            await RunAsync("dotnet", ["publish", "Hazumu.Gateway", "--os", "linux-musl", "-t:PublishContainer", $"-p:LocalRegistry={registry}"], cancellationToken);
        }
    }

    private static async Task<string?> FindRegistryProblemAsync(CancellationToken cancellationToken)
    {
        using var client = new HttpClient { Timeout = s_limit };
        try
        {
            using var answer = await client.GetAsync(s_registry, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return answer.IsSuccessStatusCode ? null : $"status {(int)answer.StatusCode}";
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return failure.GetBaseException().Message;
        }
    }

    private async Task RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        BufferedCommandResult build;
        try
        {
            build = await checkout.RunAsync(program, arguments, cancellationToken);
        }
        catch (Win32Exception failure)
        {
            // Windows runs no shell script.
            throw new CliException($"its image cannot be built ('{program}' cannot be started: {failure.Message.TrimEnd('.')})");
        }

        await File.WriteAllTextAsync(Path.Combine(checkout.State, "gateway-image.log"), build.StandardOutput + build.StandardError, cancellationToken);
        if (build.ExitCode != 0)
        {
            var output = build.StandardError.Trim() is { Length: > 0 } error ? error : build.StandardOutput.Trim();
            throw new CliException($"its image cannot be built ({output.Split('\n')[^1]}); .hazumu/gateway-image.log has more");
        }
    }
}
