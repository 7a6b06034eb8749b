using System.Diagnostics;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Settings;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Configuration;

public sealed class RegularFileTests : IDisposable
{
    private const string Sentence = "is a pipe, a socket or a device; it must be a regular file.";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Pipe_is_refused_by_every_reader_of_files()
    {
        var pipe = Pipe("pipe");
        var link = _folder.File("link");
        File.CreateSymbolicLink(link, pipe);

        foreach (var path in (string[])[pipe, link, "/dev/zero"])
        {
            Assert.Contains(Sentence, (await Assert.ThrowsAsync<KeyFileException>(() => Run(() => KeyFile.Read(path)))).Message, StringComparison.Ordinal);
            Assert.Contains(Sentence, (await Assert.ThrowsAsync<StartupProblemException>(() => Run(() => SecretFile.Read("Gateway:Cluster:PasswordFile", path)))).Message, StringComparison.Ordinal);
            Assert.Contains(Sentence, (await Assert.ThrowsAsync<StartupProblemException>(() => Run(() => GatewayHost.Configure([$"--Gateway:SettingsFile={path}"])))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Pipe_in_place_of_the_key_file_keeps_the_keys_and_is_reported()
    {
        var file = _folder.File("keys.json");
        var (key, text) = TestKeys.Make();
        TestKeys.Write(file, key);
        var log = new KeptLog<KeyStore>();
        var store = new KeyStore(new KeyOptions { File = file }, new FakeTimeProvider(), log);

        File.Delete(file);
        Pipe("keys.json");
        await Run(store.Refresh);

        Assert.NotNull(store.Current.Find(text));
        Assert.Contains(log.Lines, line => line.Message.Contains(Sentence, StringComparison.Ordinal));
    }

    [Fact]
    public void Regular_file_and_a_link_to_one_are_read()
    {
        var file = _folder.File("file");
        File.WriteAllText(file, "text");
        File.CreateSymbolicLink(_folder.File("link"), file);

        Assert.Equal("text", RegularFile.ReadAllText(file));
        Assert.Equal("text"u8.ToArray(), RegularFile.ReadAllBytes(_folder.File("link")));
        Assert.Throws<FileNotFoundException>(() => RegularFile.ReadAllText(_folder.File("missing")));
    }

    // In a thread of its own: one that hangs must not hang the tests.
    private static Task Run(Action action) => Task.Run(action).WaitAsync(s_limit);

    private string Pipe(string name)
    {
        var path = _folder.File(name);
        using var mkfifo = Process.Start("mkfifo", [path]);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
        return path;
    }
}
