using System.Text.Json;

namespace Hazumu.Gateway.Tests.Configuration;

/// <summary>A settings file of the gateway's that a test writes and changes; it goes with its test.</summary>
internal sealed class SettingsFile : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-settings-");
    private readonly SortedDictionary<string, string> _values = new(StringComparer.Ordinal);

    /// <param name="settings">Settings below <c>Gateway</c>, as <c>Queue:Limit=5</c>; with a leading colon from the root.</param>
    public SettingsFile(params IEnumerable<string> settings) => Set(settings);

    public string FullPath => File("settings.json");

    /// <summary>The path of another file beside it.</summary>
    public string File(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Changes settings and writes all; one without a value is taken out.</summary>
    public void Set(params IEnumerable<string> settings)
    {
        foreach (var setting in settings)
        {
            var (key, value) = Split(setting);
            if (value is null)
            {
                _values.Remove(key);
            }
            else
            {
                _values[key] = value;
            }
        }

        Write(JsonSerializer.Serialize(_values));
    }

    /// <summary>Writes whatever it is told, as an editor does.</summary>
    public void Write(string text) => System.IO.File.WriteAllText(FullPath, text);

    public void Dispose() => _folder.Delete(recursive: true);

    private static (string Key, string? Value) Split(string setting)
    {
        var at = setting.IndexOf('=', StringComparison.Ordinal);
        var key = at < 0 ? setting : setting[..at];
        return (key[0] == ':' ? key[1..] : $"Gateway:{key}", at < 0 ? null : setting[(at + 1)..]);
    }
}
