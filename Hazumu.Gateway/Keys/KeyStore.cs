using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The keys that hold now: those of the key file and those of configuration. Read at the start, and again when they change.</summary>
internal sealed class KeyStore
{
    private const string Missing = "missing";

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly ILogger<KeyStore> _logger;

    private Sources _sources;
    private string _seen;
    private KeySet _current;
    private readonly Dictionary<string, DateTimeOffset> _saved = new(StringComparer.Ordinal);
    private bool _hasFailedToSave;

    /// <summary>Reads the keys.</summary>
    /// <exception cref="KeyFileException">Keys are not as they must be, or cannot be read.</exception>
    public KeyStore(KeyOptions options, TimeProvider time, ILogger<KeyStore> logger)
    {
        _time = time;
        _logger = logger;
        _sources = new Sources(options, time.GetUtcNow());
        _seen = _sources.Fingerprint();
        _current = _sources.Load(previous: null);
        Tell(_current);
    }

    /// <summary>The keys that hold now.</summary>
    public KeySet Current => Volatile.Read(ref _current);

    /// <summary>
    /// Reads the keys again if a file has changed, and notifies requests whose key has expired. An unreadable file is
    /// logged once, and the keys stay as they were; a missing key file means no keys.
    /// </summary>
    public void Refresh()
    {
        lock (_gate)
        {
            RevokeExpired();
            var seen = _sources.Fingerprint();
            if (seen == _seen)
            {
                return;
            }

            _seen = seen;
            try
            {
                Use(_sources.Load(_current));
            }
            catch (KeyFileException problem)
            {
                _logger.LogError("{Problem} The keys stay as they were.", problem.Message);
            }
        }
    }

    /// <summary>
    /// Writes the times of last use beside the key file, if there are newer ones. Where that cannot be done, as with a mounted secret, it is
    /// logged once.
    /// </summary>
    public async Task SaveUsesAsync(CancellationToken cancellation)
    {
        var (keys, file) = (Current, _sources.File);
        var uses = keys.Callers.Where(caller => caller.LastUse.Time > _saved.GetValueOrDefault(caller.Key!.Id)).ToDictionary(caller => caller.Key!.Id, caller => caller.LastUse.Time!.Value, StringComparer.Ordinal);
        if (uses.Count == 0 || !File.Exists(file))
        {
            return;
        }

        try
        {
            await LastUseFile.AddAsync(file, uses, keys.Keys.Select(key => key.Id).ToHashSet(StringComparer.Ordinal), cancellation);
            foreach (var (id, time) in uses)
            {
                _saved[id] = time;
            }
        }
        catch (KeyFileException problem)
        {
            if (!_hasFailedToSave)
            {
                _logger.LogInformation("The times at which keys were last used cannot be written: {Problem} 'keys list' does not show them.", problem.Message);
            }

            _hasFailedToSave = true;
        }
    }

    /// <summary>Reads the keys of other options, and changes nothing yet.</summary>
    /// <returns>Takes the options.</returns>
    /// <exception cref="KeyFileException">Keys are not as they must be, or cannot be read.</exception>
    public Action Prepare(KeyOptions options)
    {
        var sources = new Sources(options, _time.GetUtcNow());
        var seen = sources.Fingerprint();
        var keys = sources.Load(Current);
        return () =>
        {
            lock (_gate)
            {
                (_sources, _seen) = (sources, seen);
                Use(keys);
            }
        };
    }

    private void Use(KeySet keys)
    {
        var previous = _current;
        Volatile.Write(ref _current, keys);
        Tell(keys);
        Revoke(previous.Callers.Where(caller => keys.FindSame(caller.Key!) is null));
        RevokeExpired();
    }

    private void RevokeExpired() => Revoke(_current.Callers.Where(caller => caller.Key!.Expires <= _time.GetUtcNow()));

    private void Revoke(IEnumerable<Caller> callers)
    {
        // Without a required key, the request of a revoked one is anonymous and allowed.
        if (!_current.IsRequired)
        {
            return;
        }

        foreach (var caller in callers)
        {
            caller.Revocation!.Revoke(_sources.LetsRunningFinish);
        }
    }

    private void Tell(KeySet keys)
    {
        if (keys.IsRequired && keys.Keys.Count == 0)
        {
            _logger.LogWarning("A key is required and none exists: every request is refused. Create one with 'keys create NAME'.");
        }
        else
        {
            _logger.LogInformation("{Count} keys; a key is {Required}.", keys.Keys.Count, keys.IsRequired ? "required" : "not required");
        }
    }

    /// <summary>The sources of keys.</summary>
    private sealed class Sources
    {
        private readonly bool _isRequired;
        private readonly string? _file;
        private readonly ConfiguredKeys _configured;

        public Sources(KeyOptions options, DateTimeOffset now)
        {
            _isRequired = options.Required;
            LetsRunningFinish = options.FinishRunning;
            _file = string.IsNullOrWhiteSpace(options.File) ? KeyOptions.DefaultFile : Path.GetFullPath(options.File);
            _configured = new ConfiguredKeys(options.Configured, now);
        }

        public bool LetsRunningFinish { get; }

        public string? File => _file;

        public KeySet Load(KeySet? previous)
        {
            ApiKey[] keys = [.. _file is null ? [] : KeyFile.Read(_file), .. _configured.Load()];
            return KeySet.FindDuplicate(keys) is { } duplicate
                ? throw new KeyFileException($"The key file '{_file}' and '{KeyOptions.SectionName}:Configured' conflict: {duplicate}.")
                : new KeySet(_isRequired, keys, previous);
        }

        /// <summary>
        /// Identifies a state of the files: by their content. Reading it costs a few kilobytes a second and misses no
        /// change; times have a granularity, and notifications do not work for bind mounts and Kubernetes' secrets.
        /// </summary>
        public string Fingerprint()
        {
            var fingerprint = new StringBuilder();
            if (_file is not null)
            {
                fingerprint.Append(Fingerprint(_file));
            }

            foreach (var file in _configured.Files)
            {
                fingerprint.Append(' ').Append(Fingerprint(file));
            }

            return fingerprint.ToString();
        }

        private static string Fingerprint(string file)
        {
            try
            {
                RegularFile.Check(file);
                using var stream = new FileStream(
                    file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
                return Convert.ToHexString(SHA256.HashData(stream));
            }
            catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException)
            {
                return Missing;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                return problem.Message;
            }
        }
    }
}
