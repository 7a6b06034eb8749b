using System.Diagnostics.CodeAnalysis;
using System.IO.Enumeration;

namespace Hazumu.Gateway.Keys;

/// <summary>The models that a key may name: all, or names and patterns such as <c>qwen*</c>.</summary>
/// <remarks>
/// Names are compared in the form of <see cref="ModelName"/>. A name without a tag means <c>:latest</c>, a pattern without a tag every
/// tag. <c>*</c> stays within one part of a name: <c>qwen*</c> is no model of another registry; those are <c>host/*/*</c>.
/// A lone <c>*</c> is every model.
/// </remarks>
internal sealed class ModelList
{
    private const string Any = "*";

    private readonly Entry[] _entries;

    private ModelList(IReadOnlyList<string> patterns, Entry[] entries)
    {
        Patterns = patterns;
        _entries = entries;
    }

    /// <summary>Every model.</summary>
    public static ModelList All { get; } = new([], []);

    /// <summary>The list as it was written; empty for all models.</summary>
    public IReadOnlyList<string> Patterns { get; }

    /// <summary>Whether every model is meant.</summary>
    public bool IsAll => _entries.Length == 0;

    /// <summary>Reads names and patterns; none at all means every model.</summary>
    /// <param name="patterns">The names and patterns.</param>
    /// <param name="list">The list.</param>
    /// <param name="wrong">The first that is neither.</param>
    public static bool TryParse(IEnumerable<string> patterns, [NotNullWhen(true)] out ModelList? list, [NotNullWhen(false)] out string? wrong)
    {
        var written = new List<string>();
        var entries = new List<Entry>();
        var isAll = false;
        foreach (var pattern in patterns)
        {
            var trimmed = pattern.Trim();
            if (trimmed == Any)
            {
                isAll = true;
                continue;
            }

            if (ModelName.NormalisePattern(trimmed) is not { } normal)
            {
                (list, wrong) = (null, pattern);
                return false;
            }

            written.Add(trimmed);
            entries.Add(new(normal, normal.Contains('*', StringComparison.Ordinal), normal.AsSpan().Count('/')));
        }

        (list, wrong) = (isAll ? All : new(written, [.. entries]), null);
        return true;
    }

    /// <summary>
    /// Whether a model is in the list. Unless all models are allowed, a text that is not a name is not in it.
    /// </summary>
    public bool Allows(ReadOnlySpan<char> model)
    {
        if (IsAll)
        {
            return true;
        }

        Span<char> buffer = stackalloc char[ModelName.MaxLength];
        if (!ModelName.TryNormalise(model, buffer, out var written))
        {
            return false;
        }

        var name = buffer[..written];
        var slashes = name.Count('/');
        foreach (var entry in _entries)
        {
            // With as many slashes on both sides, each has its partner: no "*" can have swallowed one.
            if (entry.Slashes == slashes
                && (entry.IsGlob ? FileSystemName.MatchesSimpleExpression(entry.Normal, name, ignoreCase: false) : name.SequenceEqual(entry.Normal)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The list as it was written; <c>*</c> for all.</summary>
    public override string ToString() => IsAll ? Any : string.Join(',', Patterns);

    private readonly record struct Entry(string Normal, bool IsGlob, int Slashes);
}
