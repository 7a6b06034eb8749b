using Hazumu.Cli.Bundle;
using Hazumu.Testing;

namespace Hazumu.Tests.Server;

/// <summary>Writes bundles of this build's application.</summary>
internal static class TestBundle
{
    /// <summary>Writes one.</summary>
    /// <param name="file">The archive.</param>
    /// <param name="time">The time of its version.</param>
    /// <param name="image">The file with the gateway's image, if it shall have one.</param>
    /// <param name="change">Changes the application.</param>
    /// <returns>The archive.</returns>
    public static async Task<string> WriteAsync(string file, DateTimeOffset time, string? image = null, Action<string>? change = null)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-bundle-");
        try
        {
            Published.CopyFolder(Published.Compose, folder.FullName);
            change?.Invoke(folder.FullName);
            await BundleArchive.WriteAsync(folder.FullName, image, new BundleVersion(time, "test"), file);
            return file;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
