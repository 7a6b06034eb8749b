using System.IO.Enumeration;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Hazumu.Gateway.Keys;

/// <summary>The claims of a token that was verified.</summary>
internal sealed class TokenClaims : IDisposable
{
    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    private readonly JsonDocument _payload;

    private TokenClaims(JsonDocument payload) => _payload = payload;

    /// <summary>Reads them; <see langword="null"/> if they are no object, or one of them is there twice.</summary>
    public static TokenClaims? Of(JsonWebToken token)
    {
        try
        {
            var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload), s_strict);
            return payload.RootElement.ValueKind == JsonValueKind.Object ? new(payload) : null;
        }
        catch (Exception problem) when (problem is JsonException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The values of a claim, as text; with dots in its name also of a claim within another. None where there is no such claim.</summary>
    public IEnumerable<string> Find(string claim)
    {
        var value = _payload.RootElement;
        if (!value.TryGetProperty(claim, out var found))
        {
            foreach (var part in claim.Split('.'))
            {
                if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(part, out value))
                {
                    return [];
                }
            }

            found = value;
        }

        // Scopes are one text, with spaces between them (RFC 8693, RFC 9068).
        return found.ValueKind == JsonValueKind.Array ? found.EnumerateArray().Select(TextOf).OfType<string>()
            : claim is "scope" or "scp" && found.ValueKind == JsonValueKind.String ? found.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : TextOf(found) is { } text ? [text] : [];
    }

    /// <summary>Whether a claim has a value, or one of its values is it.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="pattern">The value, in which <c>*</c> stands for any text.</param>
    public bool Fits(string claim, string pattern)
    {
        // No character but the star means anything else than itself.
        var expression = pattern.Contains('*', StringComparison.Ordinal) && !pattern.AsSpan().ContainsAny('?', '\\') ? pattern : null;
        return Find(claim).Any(value => expression is null
            ? value.Equals(pattern, StringComparison.Ordinal)
            : FileSystemName.MatchesSimpleExpression(expression, value, ignoreCase: false));
    }

    /// <inheritdoc/>
    public void Dispose() => _payload.Dispose();

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => null,
    };
}
