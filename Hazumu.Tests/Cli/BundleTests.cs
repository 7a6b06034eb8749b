using Hazumu.Cli;
using Hazumu.Cli.Bundle;
using Hazumu.Cli.Images;
using Hazumu.Testing;
using Hazumu.Tests.Server;

namespace Hazumu.Tests.Cli;

public sealed class BundleTests : IDisposable
{
    private static readonly DateTimeOffset s_time = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-bundle-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Bundle_of_the_same_files_has_the_same_bytes()
    {
        var first = await TestBundle.WriteAsync(Path.Combine(_folder.FullName, "first.tar.gz"), s_time);
        var second = await TestBundle.WriteAsync(Path.Combine(_folder.FullName, "second.tar.gz"), s_time);

        Assert.Equal(await File.ReadAllBytesAsync(first), await File.ReadAllBytesAsync(second));
    }

    [Fact]
    public async Task Bundle_has_the_published_application_its_version_and_checksums()
    {
        var image = Path.Combine(_folder.FullName, "image");
        await File.WriteAllTextAsync(image, "image");
        var bundle = await TestBundle.WriteAsync(Path.Combine(_folder.FullName, "bundle.tar.gz"), s_time, image);

        await ProcessRunner.RunOrThrowAsync("sh", ["-c", "tar -xzf bundle.tar.gz && cd hazumu && sha256sum --check --quiet SHA256SUMS"], workingDirectory: _folder.FullName);

        var folder = Path.Combine(_folder.FullName, "hazumu");
        Assert.Equal("2026-01-02T03:04:05Z test\n", await File.ReadAllTextAsync(Path.Combine(folder, "VERSION")));
        Assert.Equal("image", await File.ReadAllTextAsync(Path.Combine(folder, "gateway.tar.gz")));
        var published = FilesOf(Published.Compose).Concat(["SHA256SUMS", "VERSION", "gateway.tar.gz"]);
        Assert.Equal(published.Order(StringComparer.Ordinal), FilesOf(folder).Order(StringComparer.Ordinal));
        Assert.Equal(FilesOf(folder).Count() - 1, (await File.ReadAllLinesAsync(Path.Combine(folder, "SHA256SUMS"))).Length);
    }

    [Fact]
    public async Task Version_is_the_time_and_the_name_of_the_commit()
    {
        await ProcessRunner.RunOrThrowAsync("sh", ["-c", """
            set -e
            git init -q
            touch Hazumu.sln
            git add .
            GIT_COMMITTER_DATE=2026-01-02T04:04:05+01:00 git -c user.name=x -c user.email=x commit -q -m x
            """], workingDirectory: _folder.FullName);
        var checkout = new Checkout(_folder.FullName);
        var version = await BundleVersion.ReadAsync(checkout, CancellationToken.None);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "Hazumu.sln"), "changed");
        var changed = await BundleVersion.ReadAsync(checkout, CancellationToken.None);

        Assert.Matches("^2026-01-02T03:04:05Z [0-9a-f]{7,}$", version.ToString());
        Assert.Equal($"{version}+changes", changed.ToString());
    }

    [Theory]
    [InlineData("", "'' is neither an option nor the name of an archive; name one such as hazumu.tar.gz.")]
    [InlineData("--with-imag", "'--with-imag' is neither an option nor the name of an archive; name one such as hazumu.tar.gz.")]
    [InlineData(".", "'.' is a folder; name a file, such as ./hazumu.tar.gz.")]
    [InlineData("missing/a.tar.gz", "The folder of 'missing/a.tar.gz' does not exist; create it, or name a file in another.")]
    public async Task File_that_cannot_be_written_exits_with_2(string file, string sentence)
    {
        var error = new StringWriter { NewLine = "\n" };

        var exitCode = await HazumuCommand.RunAsync(["bundle", file], TextWriter.Null, error, _ => null);

        Assert.Equal((2, $"{sentence} --help lists the commands and options.\n"), (exitCode, error.ToString().Replace('\\', '/')));
    }

    [Fact]
    public async Task Image_that_the_engine_cannot_save_is_reported()
    {
        using var engine = await FakeEngine.CreateAsync(pull: ":", otherwise: "echo 'no such image' >&2; exit 1");

        var failure = await Assert.ThrowsAsync<CliException>(() => engine.Images().SaveAsync("a:b", Stream.Null, CancellationToken.None));

        Assert.Equal($"'{engine.Program} save a:b' failed: no such image", failure.Message);
    }

    [Fact]
    public async Task Build_that_cannot_be_started_is_reported()
    {
        using var engine = await FakeEngine.CreateAsync(pull: ":");
        var nowhere = new Checkout(Path.Combine(_folder.FullName, "missing"));

        var failure = await Assert.ThrowsAsync<CliException>(() =>
            new GatewayImageBuilder(nowhere, engine.Program, engine.Images(), _ => { }).EnsureAsync(FakeEngine.Component("Gateway", "a:b"), CancellationToken.None));

        Assert.Matches("^its image cannot be built \\('.+' cannot be started: .+\\)$", failure.Message);
    }

    private static IEnumerable<string> FilesOf(string folder) =>
        Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file));
}
