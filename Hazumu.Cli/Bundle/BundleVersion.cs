using System.Globalization;

namespace Hazumu.Cli.Bundle;

/// <summary>Which state of the repository a bundle is of. <c>upgrade.sh</c> compares the times.</summary>
/// <param name="Time">When the commit was made; also the time of every file in the archive.</param>
/// <param name="Commit">The commit's short name.</param>
internal sealed record BundleVersion(DateTimeOffset Time, string Commit)
{
    /// <summary>Reads it from Git.</summary>
    /// <exception cref="CliException">The checkout has no commits.</exception>
    public static async Task<BundleVersion> ReadAsync(BundleCheckout checkout, CancellationToken cancellationToken)
    {
        var log = await checkout.RunAsync("git", ["log", "-1", "--format=%ct %h"], cancellationToken);
        if (log.ExitCode != 0 || log.Output.Split(' ') is not [var seconds, var commit])
        {
            throw new CliException($"A bundle has the version of the Git commit, and 'git log' failed: {BundleCheckout.LastLine(log.Output)}");
        }

        var status = await checkout.RunAsync("git", ["status", "--porcelain"], cancellationToken);
        return new(
            DateTimeOffset.FromUnixTimeSeconds(long.Parse(seconds, CultureInfo.InvariantCulture)),
            status.Output.Length == 0 ? commit.Trim() : $"{commit.Trim()}+changes");
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)} {Commit}";
}
