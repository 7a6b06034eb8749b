using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Hazumu.Cli.Bundle;

/// <summary>
/// Writes the archive: one folder with the Compose application, its version, and the checksums of all files.
/// </summary>
internal static class BundleArchive
{
    /// <summary>The folder in the archive.</summary>
    public const string Folder = "hazumu";

    /// <summary>The file that names the version in its first line.</summary>
    public const string VersionFile = "VERSION";

    /// <summary>
    /// The file that lists all files. <c>upgrade.sh</c> recognizes by it which files belong to the application and
    /// which were changed.
    /// </summary>
    public const string SumsFile = "SHA256SUMS";

    /// <summary>The gateway's image.</summary>
    public const string ImageFile = "gateway.tar.gz";

    /// <summary>Writes an archive that is the same for the same files: sorted, with one time, owner and mode.</summary>
    /// <param name="folder">The published application.</param>
    /// <param name="image">The file with the gateway's image, if the archive shall have it.</param>
    /// <param name="version">The version.</param>
    /// <param name="file">The archive.</param>
    public static async Task WriteAsync(string folder, string? image, BundleVersion version, string file)
    {
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(folder, path).Replace('\\', '/'), path => (Func<Stream>)(() => File.OpenRead(path)));
        files.Add(VersionFile, () => Text($"{version}\n"));
        if (image is not null)
        {
            files.Add(ImageFile, () => File.OpenRead(image));
        }

        var sums = new StringBuilder();
        foreach (var (name, open) in files.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            await using var content = open();
            sums.Append($"{Convert.ToHexStringLower(await SHA256.HashDataAsync(content))}  {name}\n");
        }

        files.Add(SumsFile, () => Text(sums.ToString()));
        await using var archive = File.Create(file);
        await using var compressed = new GZipStream(archive, CompressionLevel.Optimal);
        await using var tar = new TarWriter(compressed, TarEntryFormat.Ustar);
        foreach (var (name, open) in files.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            await using var content = open();
            await tar.WriteEntryAsync(new UstarTarEntry(TarEntryType.RegularFile, $"{Folder}/{name}")
            {
                DataStream = content,
                ModificationTime = version.Time,
                Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
            });
        }
    }

    private static MemoryStream Text(string text) => new(Encoding.UTF8.GetBytes(text));
}
