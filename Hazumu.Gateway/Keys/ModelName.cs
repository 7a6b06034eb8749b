using System.Buffers;

namespace Hazumu.Gateway.Keys;

/// <summary>
/// Brings the spellings of one model to one form: <c>registry.ollama.ai/library/X</c>, <c>x:latest</c> and <c>x:local</c> are
/// <c>x:latest</c>; <c>x:8b:cloud</c> is <c>x:8b-cloud</c>.
/// </summary>
/// <remarks>
/// As Ollama reads names: <c>types/model/name.go</c> (parts, defaults, valid characters, no regard to case) and
/// <c>internal/modelref/modelref.go</c> (white space, <c>:local</c>, <c>:cloud</c>, <c>-cloud</c>). Source: 0.32.15.
/// </remarks>
internal static class ModelName
{
    /// <summary>Characters that the normal form may need: host 350, three parts of 80, separators, <c>-cloud</c>.</summary>
    public const int MaxLength = 640;

    private const string DefaultHost = "registry.ollama.ai";
    private const string DefaultNamespace = "library";
    private const string DefaultTag = "latest";
    private const int MaxHost = 350;
    private const int MaxPart = 80;

    private static readonly SearchValues<char> s_partCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:*");

    /// <summary>Writes the normal form of a name.</summary>
    /// <param name="name">The name, as a client spells it.</param>
    /// <param name="destination">At least <see cref="MaxLength"/> characters.</param>
    /// <param name="written">The length of the normal form.</param>
    /// <returns>Whether it is a name; what is none, Ollama refuses.</returns>
    public static bool TryNormalise(ReadOnlySpan<char> name, Span<char> destination, out int written) =>
        TryNormalise(name, isPattern: false, destination, out written);

    /// <summary>The normal form of a name, or null where it is none.</summary>
    public static string? Normalise(ReadOnlySpan<char> name) => Normalise(name, isPattern: false);

    /// <summary>The full name under which instances have a model: its normal form, or the name as it is where it has none.</summary>
    public static string FullNameOf(string name) => Normalise(name) ?? name;

    /// <summary>
    /// The normal form of a pattern: a name in which <c>*</c> stands for any run of characters within one part. Without a tag it is
    /// meant for every tag.
    /// </summary>
    internal static string? NormalisePattern(ReadOnlySpan<char> pattern) => Normalise(pattern, isPattern: true);

    /// <summary>Takes the suffix off that says where a model runs; white space around it does not hide it.</summary>
    internal static ModelSource CutSource(ref ReadOnlySpan<char> name)
    {
        var colon = name.LastIndexOf(':');
        if (colon < 0)
        {
            return ModelSource.Unspecified;
        }

        var suffix = name[(colon + 1)..].Trim();
        if (suffix.Equals("cloud", StringComparison.OrdinalIgnoreCase))
        {
            name = name[..colon];
            return ModelSource.Cloud;
        }

        if (suffix.Equals("local", StringComparison.OrdinalIgnoreCase))
        {
            name = name[..colon];
            return ModelSource.Local;
        }

        const string CloudEnd = "-cloud";
        if (!suffix.Contains('/') && suffix.EndsWith(CloudEnd, StringComparison.OrdinalIgnoreCase))
        {
            // White space before the tag, which Ollama drops, stays in and makes the name invalid: refused rather than guessed at.
            name = name[..(name.TrimEnd().Length - CloudEnd.Length)];
            return ModelSource.CloudTag;
        }

        return ModelSource.Unspecified;
    }

    private static string? Normalise(ReadOnlySpan<char> name, bool isPattern)
    {
        Span<char> buffer = stackalloc char[MaxLength];
        return TryNormalise(name, isPattern, buffer, out var written) ? new string(buffer[..written]) : null;
    }

    private static bool TryNormalise(ReadOnlySpan<char> name, bool isPattern, Span<char> destination, out int written)
    {
        written = 0;
        var rest = name.Trim();
        var source = CutSource(ref rest);
        if (source != ModelSource.Unspecified)
        {
            var inner = rest;
            if (CutSource(ref inner) != ModelSource.Unspecified)
            {
                return false;
            }
        }

        if (!Parts.TryParse(rest, isPattern, out var parts))
        {
            return false;
        }

        var isCloud = source is ModelSource.Cloud or ModelSource.CloudTag;
        var target = new Writer(destination);
        if (!parts.Host.Equals(DefaultHost, StringComparison.OrdinalIgnoreCase))
        {
            target.Add(parts.Host);
            target.Add("/");
            target.Add(parts.Namespace);
            target.Add("/");
        }
        else if (!parts.Namespace.Equals(DefaultNamespace, StringComparison.OrdinalIgnoreCase))
        {
            target.Add(parts.Namespace);
            target.Add("/");
        }

        target.Add(parts.Model);
        target.Add(":");
        if (parts.Tag.IsEmpty)
        {
            target.Add(isCloud ? "cloud" : isPattern && rest.Contains('*') ? "*" : DefaultTag);
        }
        else
        {
            target.Add(parts.Tag);
            target.Add(isCloud ? "-cloud" : "");
        }

        written = target.Length;
        return true;
    }

    private ref struct Writer(Span<char> destination)
    {
        private readonly Span<char> _destination = destination;

        public int Length { get; private set; }

        public void Add(ReadOnlySpan<char> text) => Length += text.ToLowerInvariant(_destination[Length..]);
    }

    private ref struct Parts
    {
        public ReadOnlySpan<char> Host;
        public ReadOnlySpan<char> Namespace;
        public ReadOnlySpan<char> Model;

        /// <summary>Empty where none is given.</summary>
        public ReadOnlySpan<char> Tag;

        public static bool TryParse(ReadOnlySpan<char> text, bool isPattern, out Parts parts)
        {
            parts = new Parts { Host = DefaultHost, Namespace = DefaultNamespace };
            var colon = text.LastIndexOf(':');
            if (colon > text.LastIndexOf('/'))
            {
                parts.Tag = text[(colon + 1)..];
                text = text[..colon];
                if (!IsPart(parts.Tag, MaxPart, allowDot: true, allowColon: false, isPattern))
                {
                    return false;
                }
            }

            // An empty part between separators is no default: Ollama calls such a name invalid.
            if (CutLast(ref text, out parts.Model) && CutLast(ref text, out parts.Namespace))
            {
                var scheme = text.IndexOf("://", StringComparison.Ordinal);
                var host = scheme < 0 ? text : text[(scheme + 3)..];
                parts.Host = scheme >= 0 && host.IsEmpty ? DefaultHost : host;
            }

            return IsPart(parts.Host, MaxHost, allowDot: true, allowColon: true, isPattern)
                && IsPart(parts.Namespace, MaxPart, allowDot: false, allowColon: false, isPattern)
                && IsPart(parts.Model, MaxPart, allowDot: true, allowColon: false, isPattern);
        }

        /// <summary>Takes the last part off; where there is no slash, that is all there is.</summary>
        private static bool CutLast(scoped ref ReadOnlySpan<char> text, out ReadOnlySpan<char> last)
        {
            var slash = text.LastIndexOf('/');
            last = text[(slash + 1)..];
            text = slash < 0 ? [] : text[..slash];
            return slash >= 0;
        }

        private static bool IsPart(ReadOnlySpan<char> part, int maxLength, bool allowDot, bool allowColon, bool isPattern) =>
            part.Length >= 1
            && part.Length <= maxLength
            && !part.ContainsAnyExcept(s_partCharacters)
            && part[0] is not ('-' or '.' or ':')
            && (allowDot || !part.Contains('.'))
            && (allowColon || !part.Contains(':'))
            && (isPattern || !part.Contains('*'));
    }
}

/// <summary>The place where a model runs, according to its name.</summary>
internal enum ModelSource
{
    /// <summary>It does not say.</summary>
    Unspecified,

    /// <summary><c>:local</c>.</summary>
    Local,

    /// <summary><c>:cloud</c>.</summary>
    Cloud,

    /// <summary>A tag that ends in <c>-cloud</c>.</summary>
    CloudTag,
}
