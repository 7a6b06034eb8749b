using System.CommandLine;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Cli.Images;

namespace Hazumu.Cli.Publishing;

/// <summary>The command <c>digests</c>: requests the digests of all published images from their registries.</summary>
internal static partial class DigestsCommand
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var noBuild = AppHostProgram.CreateNoBuildOption();
        var command = new Command("digests", "Requests the images' digests from the registries and publishes them.") { noBuild };
        command.SetAction(async (result, cancellationToken) =>
        {
            var (checkout, isBuilt, error) = (Checkout.Find(), result.GetValue(noBuild), result.InvocationConfiguration.Error);
            var appHost = new AppHostProgram(checkout, isBuilt);
            var store = new ImageStore((await appHost.DescribeWithEngineAsync(cancellationToken)).Engine, _ => { }, TimeProvider.System);
            var digests = new SortedDictionary<string, string>(StringComparer.Ordinal);
            var missing = new List<string>();
            foreach (var image in await FindImagesAsync(checkout, appHost, cancellationToken))
            {
                // Not by --format, which buildx 0.29 ignores for a tag with one platform only. The digest is that of
                // the list for all platforms.
                var inspection = await store.RunAsync(["buildx", "imagetools", "inspect", image], cancellationToken);
                if (Digest().Match(inspection.StandardOutput) is { Success: true } digest)
                {
                    digests[image] = digest.Groups["digest"].Value;
                }
                else
                {
                    missing.Add($"{image} ({inspection.StandardError.TrimEnd().Split('\n')[^1]})");
                }
            }

            if (missing.Count > 0)
            {
                throw new CliException($"Nothing was changed, because these images have no digest: {string.Join(' ', missing)}");
            }

            const string File = "Hazumu.Hosting/Publishing/image-digests.json";
            await System.IO.File.WriteAllTextAsync(Path.Combine(checkout.Root, File), $"{JsonSerializer.Serialize(digests, s_json)}\n", cancellationToken);
            await error.WriteLineAsync($"hazumu: {File} has been updated.");

            // The file is a resource of the AppHost's library.
            await PublishCommand.RunAsync(checkout, isBuilt: false, error, cancellationToken);
            return 0;
        });
        return command;
    }

    // The gateway's image is in no registry.
    private static async Task<IReadOnlyList<string>> FindImagesAsync(Checkout checkout, AppHostProgram appHost, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-digests-");
        try
        {
            await appHost.PublishAsync("publish", folder.FullName, cancellationToken);
            var compose = folder.EnumerateFiles("docker-compose*.yaml").SelectMany(file => InCompose().Matches(System.IO.File.ReadAllText(file.FullName)));
            var chart = InChart().Matches(await System.IO.File.ReadAllTextAsync(Path.Combine(checkout.Root, "deploy", "kubernetes", "values.yaml"), cancellationToken));
            return compose.Select(image => image.Groups["registry"].Value + image.Groups["rest"].Value)
                .Concat(chart.Select(image => $"{image.Groups["registry"].Value}/{image.Groups["repository"].Value}:{image.Groups["tag"].Value}"))
                .Distinct()
                .Order(StringComparer.Ordinal)
                .ToList();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [GeneratedRegex(@"^Digest: *(?<digest>sha256:[0-9a-f]{64})", RegexOptions.Multiline)]
    private static partial Regex Digest();

    [GeneratedRegex(@"\$\{Hazumu__ImageRegistry:-(?<registry>[^}]+)\}(?<rest>/[^@}]+)")]
    private static partial Regex InCompose();

    [GeneratedRegex("""registry: "(?<registry>[^"]+)"\s+repository: "(?<repository>[^"]+)"\s+tag: "(?<tag>[^"]+)"\s""")]
    private static partial Regex InChart();
}
