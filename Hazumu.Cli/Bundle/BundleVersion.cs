using System.Globalization;
using CliWrap;
using CliWrap.Buffered;

namespace Hazumu.Cli.Bundle;

/// <summary>Which state of the repository a bundle is of. <c>upgrade.sh</c> compares the times.</summary>
/// <param name="Time">When the commit was made; also the time of every file in the archive.</param>
/// <param name="Commit">The commit's short name.</param>
internal sealed record BundleVersion(DateTimeOffset Time, string Commit)
{
    /// <summary>Reads it from Git.</summary>
    /// <exception cref="CliException">The checkout has no commits, or there is no Git.</exception>
    public static async Task<BundleVersion> ReadAsync(Checkout checkout, CancellationToken cancellationToken)
    {
        var log = (await RunGitAsync(checkout, ["log", "-1", "--format=%ct %h"], cancellationToken)).Split(' ');
        var changes = await RunGitAsync(checkout, ["status", "--porcelain"], cancellationToken);
        return new(DateTimeOffset.FromUnixTimeSeconds(long.Parse(log[0], CultureInfo.InvariantCulture)), changes.Length == 0 ? log[1] : $"{log[1]}+changes");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)} {Commit}";

    private static async Task<string> RunGitAsync(Checkout checkout, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        try
        {
            var git = await CliWrap.Cli.Wrap("git").WithArguments(arguments).WithWorkingDirectory(checkout.Root).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
            return git.ExitCode == 0
                ? git.StandardOutput.Trim()
                : throw new CliException($"The version of a bundle is its Git commit, and 'git {string.Join(' ', arguments)}' failed: {git.StandardError.Trim()}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CliException("The version of a bundle is its Git commit, and there is no 'git' on PATH; install Git.");
        }
    }
}
