using System.Runtime.Versioning;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Testing;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Gateway.Tests.Keys;

public sealed class KeyFileEditorTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TemporaryFolder _folder = new();

    private string Path => _folder.File("keys.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Two_commands_at_once_lose_no_key_and_a_reader_never_sees_half_a_file()
    {
        const int Each = 30;
        var configuration = new ConfigurationBuilder().Build();
        using var done = new CancellationTokenSource();
        var reader = Task.Run(() =>
        {
            var reads = 0;
            var before = 0;
            while (!done.IsCancellationRequested || reads == 0)
            {
                var count = KeyFile.Read(Path).Count;
                Assert.True(count >= before);
                before = count;
                reads++;
            }
        });

        await Task.WhenAll(Enumerable.Range(0, 2).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < Each; i++)
            {
                var code = await KeysCommand.RunAsync(
                    ["keys", "create", $"w{writer}-{i}", "--file", Path], configuration, TextWriter.Null, TextWriter.Null, TimeProvider.System);
                Assert.Equal(0, code);
            }
        })));
        await done.CancelAsync();
        await reader;

        Assert.Equal(2 * Each, KeyFile.Read(Path).Count);
        Assert.Equal(["keys.json", "keys.json.lock"], _folder.Files);
    }

    [Fact]
    public async Task A_command_waits_for_another()
    {
        Task update;
        using (new FileStream(Path + ".lock", FileMode.Create, FileAccess.Write, FileShare.None))
        {
            update = KeyFileEditor.UpdateAsync(Path, _ => [TestKeys.Make().Key], CancellationToken.None);
            await Wait.WhileAsync(TimeSpan.FromMilliseconds(100), () => Assert.Equal((false, false), (update.IsCompleted, File.Exists(Path))));
        }

        await update;
        Assert.Single(KeyFile.Read(Path));
    }

    [Fact]
    public async Task A_change_that_fails_leaves_the_file_and_nothing_else()
    {
        TestKeys.Write(Path, TestKeys.Make().Key);
        var before = await File.ReadAllBytesAsync(Path);

        await Assert.ThrowsAsync<KeyFileException>(
            () => KeyFileEditor.UpdateAsync(Path, _ => throw new KeyFileException("No."), CancellationToken.None));

        Assert.Equal(before, await File.ReadAllBytesAsync(Path));
        Assert.Equal(["keys.json", "keys.json.lock"], _folder.Files);
    }

    [Fact]
    public async Task A_broken_file_is_not_overwritten()
    {
        await File.WriteAllTextAsync(Path, "broken");

        await Assert.ThrowsAsync<KeyFileException>(() => KeyFileEditor.UpdateAsync(Path, keys => keys, CancellationToken.None));

        Assert.Equal("broken", await File.ReadAllTextAsync(Path));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_created_is_reported()
    {
        await File.WriteAllTextAsync(_folder.File("file"), "");

        var problem = await Assert.ThrowsAsync<KeyFileException>(
            () => KeyFileEditor.UpdateAsync(_folder.File("file/keys.json"), keys => keys, CancellationToken.None));

        Assert.Contains("cannot be written", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task The_file_and_its_folder_are_for_their_owner_alone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "a file has no mode on Windows");

        var path = _folder.File("below/keys.json");
        await KeyFileEditor.UpdateAsync(path, keys => keys, CancellationToken.None);

        Assert.Equal(OwnerOnly, File.GetUnixFileMode(path));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(path + ".lock"));
        Assert.Equal(OwnerOnly | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder.File("below")));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task A_mode_that_was_widened_lasts()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "a file has no mode on Windows");

        TestKeys.Write(Path);
        File.SetUnixFileMode(Path, OwnerOnly | UnixFileMode.GroupRead);

        await KeyFileEditor.UpdateAsync(Path, keys => keys, CancellationToken.None);

        Assert.Equal(OwnerOnly | UnixFileMode.GroupRead, File.GetUnixFileMode(Path));
    }

    [Fact]
    public async Task A_link_stays_a_link()
    {
        var link = _folder.File("link.json");
        File.CreateSymbolicLink(link, Path);

        await KeyFileEditor.UpdateAsync(link, _ => [TestKeys.Make().Key], CancellationToken.None);

        Assert.NotNull(new FileInfo(link).LinkTarget);
        Assert.Single(KeyFile.Read(Path));
    }
}
