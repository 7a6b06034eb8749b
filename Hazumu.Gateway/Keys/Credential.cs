using System.Buffers;
using System.Text;

namespace Hazumu.Gateway.Keys;

/// <summary>One value of a header that may hold a key.</summary>
internal readonly ref struct Credential
{
    private const string Bearer = "Bearer";
    private const string Basic = "Basic";

    private Credential(ReadOnlySpan<char> text, string? scheme = null)
    {
        Text = text;
        Scheme = scheme;
    }

    /// <summary>The text that may be a key; empty if the value contains none.</summary>
    public ReadOnlySpan<char> Text { get; }

    /// <summary>The authentication scheme, if no key is accepted in it; <see langword="null"/> otherwise.</summary>
    public string? Scheme { get; }

    /// <summary>Whether it is a signature of Ollama's client, and no key.</summary>
    public bool IsSignature { get; private init; }

    /// <summary>Whether the value holds anything.</summary>
    public bool IsPresent => !Text.IsEmpty || Scheme is not null;

    /// <summary>Reads a header whose whole value is the key.</summary>
    public static Credential ReadKey(string? value) => new(value.AsSpan().Trim());

    /// <summary>
    /// Reads <c>Authorization</c>: <c>Bearer</c>, <c>Basic</c> with the key as the password, the key without a scheme, or a
    /// signature of Ollama's client.
    /// </summary>
    /// <remarks>Clients send <c>Basic</c> when the key is part of the URL (langchain-ollama, llm, curl). Allocates for <c>Basic</c> only.</remarks>
    public static Credential ReadAuthorization(string? value)
    {
        var text = value.AsSpan().Trim();
        var space = text.IndexOfAny(' ', '\t');
        var scheme = space < 0 ? text : text[..space];
        var rest = space < 0 ? [] : text[space..].TrimStart();
        if (scheme.Equals(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            return new(rest);
        }

        if (scheme.Equals(Basic, StringComparison.OrdinalIgnoreCase))
        {
            return rest.IsEmpty ? default : ReadBasic(rest);
        }

        return space < 0 ? new(text) { IsSignature = OllamaSignature.IsSignature(text) } : new(rest, scheme.ToString());
    }

    private static Credential ReadBasic(ReadOnlySpan<char> encoded)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(encoded.Length);
        try
        {
            if (!Convert.TryFromBase64Chars(encoded, bytes, out var length))
            {
                return new(encoded, Basic);
            }

            // "user:password"; if the password is empty, the key was given in the place of the user name: https://KEY@host.
            var pair = Encoding.Latin1.GetString(bytes, 0, length);
            var colon = pair.IndexOf(':', StringComparison.Ordinal);
            var password = pair.AsSpan(colon + 1).Trim();
            return password.IsEmpty && colon > 0 ? new(pair.AsSpan(0, colon).Trim()) : new(password);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
        }
    }
}
