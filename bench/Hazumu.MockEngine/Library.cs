using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Hazumu.Mocks;

/// <summary>Models and blobs on the engine's disk.</summary>
internal sealed class Library
{
    private volatile ConcurrentDictionary<string, MockModel> _models = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _blobs = new(StringComparer.Ordinal);

    /// <summary>The models, by name.</summary>
    public IEnumerable<MockModel> Models => _models.Values.OrderBy(model => model.Name, StringComparer.Ordinal);

    /// <summary>A name with its tag.</summary>
    public static string Canonical(string name) => name.AsSpan(name.LastIndexOf('/') + 1).Contains(':') ? name : name + ":latest";

    public static string Digest(string name) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));

    public static string Digest(MockModel model) => model.Digest ?? Digest(model.Name);

    public void Replace(IEnumerable<MockModel> models) =>
        _models = new ConcurrentDictionary<string, MockModel>(
            models.Select(model => model with { Name = Canonical(model.Name) }).Select(model => KeyValuePair.Create(model.Name, model)),
            StringComparer.Ordinal);

    public MockModel? Find(string? name) => name is null ? null : _models.GetValueOrDefault(Canonical(name));

    public void Add(MockModel model)
    {
        var name = Canonical(model.Name);
        _models[name] = model with { Name = name };
    }

    public bool Remove(string name) => _models.TryRemove(Canonical(name), out _);

    public bool HasBlob(string digest) => _blobs.ContainsKey(digest);

    public void AddBlob(string digest, long bytes) => _blobs[digest] = bytes;
}
