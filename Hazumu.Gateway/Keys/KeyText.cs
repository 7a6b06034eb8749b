using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Hazumu.Gateway.Keys;

/// <summary>
/// The text of a key: <c>hzm_</c>, an id of 8 characters that is no secret, <c>_</c>, and a secret of 43 letters and digits: 256 bits.
/// </summary>
/// <remarks>
/// A plain SHA-256 of the secret is stored. A slow or salted hash guards guessable passwords; 256 random bits have nothing to guess.
/// </remarks>
internal static class KeyText
{
    /// <summary>How a key of this gateway's begins, so that people and secret scanners know one.</summary>
    public const string Prefix = "hzm_";

    /// <summary>Bytes of a hash.</summary>
    public const int HashSize = SHA256.HashSizeInBytes;

    /// <summary>The longest text that is looked at; a header may be longer.</summary>
    public const int MaxLength = 512;

    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int IdLength = 8;
    private const int SecretStart = 4 + IdLength + 1;

    // 62^43 is a little more than 2^256.
    private const int SecretLength = 43;

    private static readonly SearchValues<char> s_alphabet = SearchValues.Create(Alphabet);
    private static readonly SearchValues<char> s_visible = SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(code => (char)code)]);

    /// <summary>Creates a key.</summary>
    /// <returns>Its text, to be shown once, its id, and the hash to store.</returns>
    public static (string Text, string Id, byte[] Hash) Create()
    {
        var id = RandomNumberGenerator.GetString(Alphabet, IdLength);
        var (text, hash) = CreateSecret(id);
        return (text, id, hash);
    }

    /// <summary>Creates a secret for a key.</summary>
    /// <param name="id">The key's id.</param>
    /// <returns>The key's text, to be shown once, and the hash to store.</returns>
    public static (string Text, byte[] Hash) CreateSecret(string id)
    {
        var secret = RandomNumberGenerator.GetString(Alphabet, SecretLength);
        var hash = new byte[HashSize];
        Hash(secret, hash);
        return ($"{Prefix}{id}_{secret}", hash);
    }

    /// <summary>Takes a text apart that has the form of a key.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ReadOnlySpan<char> id, out ReadOnlySpan<char> secret)
    {
        id = secret = default;
        if (text.Length != SecretStart + SecretLength || !IsOurs(text) || text[SecretStart - 1] != '_')
        {
            return false;
        }

        id = text.Slice(Prefix.Length, IdLength);
        secret = text[SecretStart..];
        return IsId(id) && !secret.ContainsAnyExcept(s_alphabet);
    }

    /// <summary>Whether a text begins as a key of this gateway's: whole or not, it is not to go anywhere else.</summary>
    public static bool IsOurs(ReadOnlySpan<char> text) => text.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Whether a text has the form of an id.</summary>
    public static bool IsId(ReadOnlySpan<char> text) => text.Length == IdLength && !text.ContainsAnyExcept(s_alphabet);

    /// <summary>Whether a text can be a key at all: visible ASCII, and not too long.</summary>
    public static bool IsToken(ReadOnlySpan<char> text) => text.Length is > 0 and <= MaxLength && !text.ContainsAnyExcept(s_visible);

    /// <summary>Hashes a text for which <see cref="IsToken"/> holds.</summary>
    /// <param name="text">The secret part of a key, or all of one that has no parts.</param>
    /// <param name="hash"><see cref="HashSize"/> bytes.</param>
    public static void Hash(ReadOnlySpan<char> text, Span<byte> hash)
    {
        Span<byte> bytes = stackalloc byte[MaxLength];
        bytes = bytes[..Encoding.ASCII.GetBytes(text, bytes)];
        SHA256.HashData(bytes, hash);
        CryptographicOperations.ZeroMemory(bytes);
    }
}
