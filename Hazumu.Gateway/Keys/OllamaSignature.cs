using System.Globalization;
using System.Text;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Hazumu.Gateway.Keys;

/// <summary>
/// The credential of Ollama's own command line and Go client with <c>OLLAMA_AUTH=1</c>: <c>Authorization: PUBLIC-KEY:SIGNATURE</c>, both in
/// Base64, where the signature is Ed25519 of <c>METHOD,PATH?ts=UNIX-TIME</c> and <c>ts</c> is a parameter of the query.
/// </summary>
/// <remarks>As <c>api/client.go</c> and <c>auth/auth.go</c> of Ollama 0.32.15 do it. The body is not signed.</remarks>
internal static class OllamaSignature
{
    private const string KeyType = "ssh-ed25519";

    /// <summary>The Base64 of every public key of this type begins with this: the length and the name of the type.</summary>
    private const string KeyStart = "AAAAC3NzaC1lZDI1NTE5AAAAI";

    private const int KeyLength = 68;
    private const int BlobLength = 51;

    /// <summary>The most that the time of a signature may differ from the gateway's clock: within it, a request could be replayed.</summary>
    public static TimeSpan MaxDifference { get; } = TimeSpan.FromMinutes(1);

    /// <summary>Whether a credential has this form.</summary>
    public static bool IsSignature(ReadOnlySpan<char> credential) =>
        credential.Length > KeyLength && credential[KeyLength] == ':' && credential.StartsWith(KeyStart, StringComparison.Ordinal);

    /// <summary>The public key that a credential names.</summary>
    public static ReadOnlySpan<char> PublicKeyOf(ReadOnlySpan<char> credential) => credential[..KeyLength];

    /// <summary>Reads a public key as OpenSSH writes it, <c>ssh-ed25519 AAAA… comment</c>, or its Base64 alone.</summary>
    /// <returns>The Base64; <see langword="null"/> if the text is no such key.</returns>
    public static string? ReadPublicKey(ReadOnlySpan<char> text)
    {
        text = text.Trim();
        if (text.StartsWith(KeyType + " ", StringComparison.Ordinal))
        {
            text = text[KeyType.Length..].TrimStart();
        }

        var end = text.IndexOfAny(" \t\r\n");
        var key = end < 0 ? text : text[..end];
        Span<byte> blob = stackalloc byte[BlobLength];
        return key.Length == KeyLength && key.StartsWith(KeyStart, StringComparison.Ordinal) && Convert.TryFromBase64Chars(key, blob, out var length) && length == BlobLength
            ? key.ToString()
            : null;
    }

    /// <summary>Verifies a credential whose public key is registered.</summary>
    /// <param name="credential">The whole credential.</param>
    /// <param name="request">The request that it came with.</param>
    /// <param name="now">The time of the gateway's clock.</param>
    /// <param name="difference">How far the signature's time is behind the clock, if that is the reason of the refusal.</param>
    /// <returns><see cref="Refusal.None"/> if it is valid.</returns>
    public static Refusal Verify(ReadOnlySpan<char> credential, HttpRequest request, DateTimeOffset now, out TimeSpan difference)
    {
        difference = default;
        var blob = new byte[BlobLength];
        var signature = new byte[Ed25519.SignatureSize];
        var time = request.Query["ts"].ToString();
        if (!Convert.TryFromBase64Chars(PublicKeyOf(credential), blob, out _)
            || !Convert.TryFromBase64Chars(credential[(KeyLength + 1)..], signature, out var length)
            || length != signature.Length
            || !long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
        {
            return Refusal.Signature;
        }

        var signed = Encoding.UTF8.GetBytes($"{request.Method},{request.Path.Value}?ts={time}");
        if (!Ed25519.Verify(signature, 0, blob, BlobLength - Ed25519.PublicKeySize, signed, 0, signed.Length))
        {
            return Refusal.Signature;
        }

        difference = TimeSpan.FromSeconds((double)now.ToUnixTimeSeconds() - seconds);
        return difference.Duration() > MaxDifference ? Refusal.Clock : Refusal.None;
    }
}
