using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>Changes a key file: one command at a time, and whole or not at all.</summary>
internal static class KeyFileEditor
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly TimeSpan s_lockPoll = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(10);

    /// <summary>Adds keys: all of them or none.</summary>
    /// <exception cref="KeyFileException">A name or a public key is taken, or the file cannot be used.</exception>
    public static Task AddAsync(string path, IEnumerable<ApiKey> added, CancellationToken cancellation) =>
        UpdateAsync(path, keys => added.Aggregate(keys, Add), cancellation);

    /// <summary>Removes a key.</summary>
    /// <exception cref="KeyFileException">There is no such key, or the file cannot be used.</exception>
    public static async Task RemoveAsync(string path, string name, CancellationToken cancellation)
    {
        // Looked up first as well, so that a wrong path leaves no folder and no lock behind.
        _ = Get(KeyFile.Read(path), name, path);
        await UpdateAsync(path, keys => [.. keys.Except([Get(keys, name, path)])], cancellation);
    }

    /// <summary>Finds a key by its name, in the keys of this file.</summary>
    /// <exception cref="KeyFileException">There is no such key.</exception>
    public static ApiKey Get(IReadOnlyList<ApiKey> keys, string name, string path) =>
        Find(keys, name) ?? throw new KeyFileException($"There is no key '{name}' in '{path}'.");

    /// <summary>Reads the file, changes its keys and writes it.</summary>
    /// <param name="path">The file; it is made, with its folder, where there is none.</param>
    /// <param name="change">Gives the keys that the file is to hold. Throws to leave it as it is.</param>
    /// <param name="cancellation">Gives up waiting for another command.</param>
    /// <exception cref="KeyFileException">The file cannot be read or written, or is not as it must be.</exception>
    public static Task UpdateAsync(string path, Func<IReadOnlyList<ApiKey>, IReadOnlyList<ApiKey>> change, CancellationToken cancellation) =>
        RewriteAsync(path, target => KeyFile.Format(change(KeyFile.Read(target))), cancellation);

    /// <summary>Writes a file, alone and whole.</summary>
    /// <param name="path">The file; it is made, with its folder, where there is none.</param>
    /// <param name="content">Gives its new content; gets the path of the file itself, behind links. Throws to leave it as it is.</param>
    /// <param name="cancellation">Gives up waiting for another command.</param>
    /// <exception cref="KeyFileException">It cannot be written.</exception>
    public static async Task RewriteAsync(string path, Func<string, byte[]> content, CancellationToken cancellation)
    {
        try
        {
            CreateFolder(path);

            // Behind a link lies the file that is meant; a rename would put a file in the link's place.
            var target = new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
            using (await LockAsync(target + ".lock", cancellation))
            {
                Write(target, content(target));
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"The key file '{path}' cannot be written: {problem.Message}", problem);
        }
    }

    private static IReadOnlyList<ApiKey> Add(IReadOnlyList<ApiKey> keys, ApiKey added) =>
        Find(keys, added.Name) is not null
            ? throw new KeyFileException($"The key '{added.Name}' exists already; revoke it first, or choose another name.")
            : keys.FirstOrDefault(other => other.OllamaPublicKey is { } known && known == added.OllamaPublicKey) is { } owner
            ? throw new KeyFileException($"The key '{owner.Name}' has this public key of Ollama already; revoke it first.")
            : [.. keys, added];

    private static ApiKey? Find(IEnumerable<ApiKey> keys, string name) =>
        keys.FirstOrDefault(key => key.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static void CreateFolder(string path)
    {
        var folder = Path.GetDirectoryName(path);
        if (string.IsNullOrEmpty(folder))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
        }
    }

    /// <summary>
    /// Holds the file beside it open for itself alone (<c>flock</c> on Unix), so that a command that dies leaves no lock behind.
    /// The file stays: removing it would let two commands hold two files of one name.
    /// </summary>
    private static async Task<FileStream> LockAsync(string path, CancellationToken cancellation)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return Open(path, FileMode.OpenOrCreate);
            }
            catch (IOException) when (File.Exists(path) && TimeProvider.System.GetElapsedTime(started) < s_lockPatience)
            {
                await Task.Delay(s_lockPoll, cancellation);
            }
            catch (IOException problem) when (File.Exists(path))
            {
                throw new KeyFileException($"Another command is writing '{path}'; try again when it has finished.", problem);
            }
        }
    }

    private static void Write(string path, byte[] content)
    {
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = Open(temporary, FileMode.CreateNew))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }

            // The operator may have widened the mode for a gateway that runs as another user: keep it.
            if (!OperatingSystem.IsWindows() && File.Exists(path))
            {
                File.SetUnixFileMode(temporary, File.GetUnixFileMode(path));
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    private static FileStream Open(string path, FileMode mode)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        return new FileStream(path, options);
    }
}
