namespace Hazumu.Gateway.Requests;

/// <summary>
/// Ollama's model names. Source: its <c>types/model/name.go</c> and <c>internal/modelref</c> (0.32).
/// </summary>
internal static class ModelName
{
    /// <summary>Characters that a name may have.</summary>
    public const int MaxLength = 512;

    /// <summary>What <see cref="ProblemOf"/> says of a longer one.</summary>
    public const string TooLong = "is longer than 512 characters";

    private const string DefaultRegistry = "registry.ollama.ai";
    private const string DefaultNamespace = "library";
    private const string DefaultTag = "latest";

    /// <summary>What tells names apart: Ollama knows a model by its name in any case.</summary>
    public static StringComparer Comparer => StringComparer.OrdinalIgnoreCase;

    /// <summary>
    /// The short and whole form of a name, in which Ollama lists it: with its tag, without the default registry and namespace.
    /// <c>registry.ollama.ai/library/llama3.2</c> and <c>llama3.2:latest:local</c> become <c>llama3.2:latest</c>. The case stays as it is.
    /// </summary>
    /// <remarks>The same string where it is in that form already, and where it is no name.</remarks>
    public static string Normalize(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var rest = name.AsSpan().Trim();
        if (SuffixOf(rest).Trim().Equals("local", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[..rest.LastIndexOf(':')];
        }

        rest = WithoutDefaults(rest);
        if (rest.IsEmpty || rest[^1] is '/' or ':')
        {
            return name;
        }

        return !HasTag(rest) ? $"{rest}:{DefaultTag}" :
            rest.Length == name.Length ? name :
            rest.ToString();
    }

    /// <summary>Whether a name says that the model runs in Ollama's cloud: <c>gpt-oss:120b-cloud</c>, <c>glm-4.6:cloud</c>.</summary>
    /// <remarks>A model under any name may run there: <c>remote_host</c> in <c>/api/tags</c> tells.</remarks>
    public static bool IsCloud(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var suffix = SuffixOf(name.AsSpan().Trim()).Trim();
        return suffix.Equals("cloud", StringComparison.OrdinalIgnoreCase)
            || (suffix.EndsWith("-cloud", StringComparison.OrdinalIgnoreCase) && !suffix.Contains('/'));
    }

    /// <summary>Why a text can be nobody's name, as the end of a sentence; null where it may be one.</summary>
    public static string? ProblemOf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length > MaxLength ? TooLong :
            name.AsSpan().ContainsAnyInRange('\0', '\x1F') || name.AsSpan().ContainsAnyInRange('\x7F', '\x9F') ? "has control characters" :
            string.IsNullOrWhiteSpace(name) ? "is empty" :
            null;
    }

    // What is behind the last colon: it may be a registry's port and path.
    private static ReadOnlySpan<char> SuffixOf(ReadOnlySpan<char> name) => name.LastIndexOf(':') is var colon and >= 0 ? name[(colon + 1)..] : default;

    private static bool HasTag(ReadOnlySpan<char> name) => name.LastIndexOf(':') > name.LastIndexOf('/');

    private static ReadOnlySpan<char> WithoutDefaults(ReadOnlySpan<char> name)
    {
        // Three parts are registry, namespace and model, and a scheme before them means nothing; two are namespace and model.
        if (name.IndexOf("://", StringComparison.Ordinal) is var scheme and > 0 && name.Count('/') == 4)
        {
            name = name[(scheme + "://".Length)..];
        }

        var slashes = name.Count('/');
        if (slashes == 2 && TryCut(ref name, DefaultRegistry))
        {
            slashes--;
        }

        if (slashes == 1)
        {
            _ = TryCut(ref name, DefaultNamespace);
        }

        return name;
    }

    private static bool TryCut(ref ReadOnlySpan<char> name, string first)
    {
        if (!name.StartsWith(first, StringComparison.OrdinalIgnoreCase) || name.Length == first.Length || name[first.Length] != '/')
        {
            return false;
        }

        name = name[(first.Length + 1)..];
        return true;
    }
}
