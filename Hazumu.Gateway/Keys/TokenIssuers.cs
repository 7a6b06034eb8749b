using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The issuers whose tokens (JWT) are accepted beside keys. Where there is none, the libraries that read tokens are not loaded.</summary>
internal sealed class TokenIssuers
{
    /// <summary>Characters that a token may have.</summary>
    public const int LongestToken = 16 * 1024;

    private readonly TimeProvider _time;
    private readonly ILogger<TokenIssuers> _logger;
    private volatile TokenIssuer[] _issuers = [];

    /// <summary>Reads the issuers.</summary>
    /// <exception cref="StartupProblemException">A setting is missing or not allowed.</exception>
    public TokenIssuers(IReadOnlyDictionary<string, IssuerOptions> options, TimeProvider time, ILogger<TokenIssuers> logger)
    {
        (_time, _logger) = (time, logger);
        _issuers = Prepare(options);
    }

    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => _issuers.Length == 0;

    /// <summary>Whether a text has the form of a token: three parts, of which the first is a JSON object in Base64.</summary>
    public static bool IsToken(ReadOnlySpan<char> text) =>
        text.Length <= LongestToken && text.StartsWith("eyJ", StringComparison.Ordinal) && text.Count('.') == 2;

    /// <summary>Reads the settings of other issuers. Keys of those that stay are kept.</summary>
    /// <returns>The issuers, for <see cref="Use"/>.</returns>
    /// <exception cref="StartupProblemException">A setting is missing or not allowed.</exception>
    public TokenIssuer[] Prepare(IReadOnlyDictionary<string, IssuerOptions> options) => options.Count > 0 ? Read(options) : [];

    /// <summary>Takes other issuers in place of those there are.</summary>
    public void Use(TokenIssuer[] issuers) => _issuers = issuers;

    /// <summary>Reads a token and verifies it, fetching its issuer's keys where they are not known.</summary>
    public async ValueTask<TokenResult> ReadAsync(string text, CancellationToken cancellationToken) =>
        TokenIssuer.TryParse(text, out var token) && Array.Find(_issuers, issuer => issuer.Issued(token)) is { } issuer
            ? await issuer.VerifyAsync(token, cancellationToken)
            : new(Refusal.UnknownIssuer);

    private TokenIssuer[] Read(IReadOnlyDictionary<string, IssuerOptions> options)
    {
        var known = _issuers;
        TokenIssuer[] issuers = [.. options.Select(issuer => new TokenIssuer(issuer.Key, issuer.Value, known.FirstOrDefault(old => old.Name == issuer.Key), _time, _logger))];
        foreach (var same in issuers.GroupBy(issuer => issuer.Address, StringComparer.Ordinal).Where(same => same.Count() > 1))
        {
            throw new StartupProblemException($"The issuers '{string.Join("' and '", same.Select(issuer => issuer.Name))}' are the same, '{same.Key}'; give one of them the rules of both.");
        }

        return issuers;
    }
}

/// <summary>What a token has shown: a caller, or why it is refused.</summary>
internal readonly record struct TokenResult(Refusal Refusal, string? Detail = null)
{
    /// <summary>The caller; <see langword="null"/> if the token is refused.</summary>
    public Caller? Caller { get; init; }
}
