using Hazumu.Gateway.Keys;
using Microsoft.Extensions.Logging;

namespace Hazumu.Gateway.Tests.Keys;

/// <summary>Keys to test with.</summary>
internal static class TestKeys
{
    public static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>A new key and its text.</summary>
    public static (ApiKey Key, string Text) Make(string name = "alice", Scope scopes = Scope.Infer | Scope.Read, params string[] models)
    {
        var (text, id, hash) = KeyText.Create();
        Assert.True(ModelList.TryParse(models, out var list, out _));
        return (new ApiKey { Id = id, Name = name, Hash = hash, Scopes = scopes, Models = list, Created = Now }, text);
    }

    /// <summary>Writes a key file as an editor or a mounted secret would, in one step: a gateway that runs must not read half of it, and log that.</summary>
    public static void Write(string path, params IEnumerable<ApiKey> keys)
    {
        File.WriteAllBytes($"{path}.new", KeyFile.Format(keys));
        File.Move($"{path}.new", path, overwrite: true);
    }

    /// <summary>Another text of the same form.</summary>
    public static string WithOtherSecret(string text) => text[..^1] + (text[^1] == 'x' ? 'y' : 'x');
}

/// <summary>A folder that goes with its test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-keys-");

    public string File(string name) => Path.Combine(_folder.FullName, name);

    public IEnumerable<string> Files => _folder.EnumerateFiles().Select(file => file.Name).Order(StringComparer.Ordinal);

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>A logger that keeps what it is told.</summary>
internal sealed class KeptLog<T> : ILogger<T>
{
    private readonly List<(LogLevel Level, string Message)> _lines = [];

    public IReadOnlyList<(LogLevel Level, string Message)> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public IEnumerable<string> Errors => Lines.Where(line => line.Level == LogLevel.Error).Select(line => line.Message);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
        {
            _lines.Add((logLevel, formatter(state, exception) + exception));
        }
    }
}
