using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Hazumu.Gateway.Keys;

/// <summary>One issuer: verifies its tokens, and makes callers of them.</summary>
internal sealed class TokenIssuer
{
    // With a symmetric algorithm, the public key would be the secret.
    private static readonly string[] s_algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private static readonly JsonWebTokenHandler s_handler = new() { MaximumTokenSizeInBytes = TokenIssuers.LongestToken };

    private readonly IssuerOptions _options;
    private readonly IssuerKeys _keys;
    private readonly TimeProvider _time;
    private readonly Caller _everybody;
    private readonly (IssuerRuleOptions Rule, Caller Caller)[] _rules;

    /// <summary>Reads the settings of an issuer.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="options">Its settings.</param>
    /// <param name="known">The issuer of this name before.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where it is reported that its keys cannot be fetched.</param>
    /// <exception cref="StartupProblemException">A setting is missing or not allowed.</exception>
    public TokenIssuer(string name, IssuerOptions options, TokenIssuer? known, TimeProvider time, ILogger logger)
    {
        (Name, _options, _time) = (name, options, time);
        var setting = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.Issuers)}:{name}";
        if (!KeyName.IsValid(name))
        {
            throw new StartupProblemException($"'{setting}' has a name that is not allowed; it must be {KeyName.Allowed}.");
        }

        if (options.Authority is null || options.Audience.Count == 0)
        {
            var missing = options.Authority is null ? nameof(options.Authority) : nameof(options.Audience);
            throw new StartupProblemException($"'{setting}' has no '{missing}'; set '{setting}:{missing}'. Without an audience, tokens that the issuer made for others would be accepted.");
        }

        Address = (options.Issuer ?? options.Authority).TrimEnd('/');
        var authorities = options.CaFile is { } file ? SecretFile.Read($"{setting}:{nameof(options.CaFile)}", file) : null;
        if (authorities is not null)
        {
            OwnAuthorities.Check($"{setting}:{nameof(options.CaFile)}", authorities);
        }

        _everybody = CallerOf(setting, options, options);
        _rules = [.. options.Rules.Select(rule => (rule.Value, CallerOf($"{setting}:{nameof(options.Rules)}:{rule.Key}", rule.Value, options)))];
        foreach (var (rule, settings) in options.Rules)
        {
            if (settings.Claim is null || settings.Value is null)
            {
                throw new StartupProblemException($"'{setting}:{nameof(options.Rules)}:{rule}' needs 'Claim' and 'Value', such as 'groups' and 'staff'.");
            }
        }

        _keys = known?._keys is { } keys && keys.Fits(options, authorities) ? keys : new IssuerKeys(name, options, authorities, time, logger);
    }

    /// <summary>The name in the settings.</summary>
    public string Name { get; }

    /// <summary>What its tokens name as their issuer, but for a slash at its end.</summary>
    public string Address { get; }

    /// <summary>Reads a token without verifying it.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out JsonWebToken? token)
    {
        try
        {
            token = s_handler.ReadJsonWebToken(text);
            return true;
        }
        catch (Exception problem) when (problem is ArgumentException or SecurityTokenException or FormatException or JsonException)
        {
            token = null;
            return false;
        }
    }

    /// <summary>Whether a token says that it is this issuer's.</summary>
    public bool Issued(JsonWebToken token) => token.Issuer?.TrimEnd('/') == Address;

    /// <summary>Verifies a token.</summary>
    public async ValueTask<TokenResult> VerifyAsync(JsonWebToken token, CancellationToken cancellationToken)
    {
        // What is critical to its issuer and not known here must not be left out.
        if (!s_algorithms.Contains(token.Alg, StringComparer.Ordinal) || token.TryGetHeaderValue<JsonElement>("crit", out _))
        {
            return new(Refusal.InvalidToken);
        }

        if (await _keys.FindAsync(token.Kid, cancellationToken) is not { } keys)
        {
            return new(Refusal.IssuerUnreachable, Name);
        }

        var signature = await s_handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            IssuerSigningKeyResolver = (_, _, _, _) => keys.Find(token.Kid),
            ValidAlgorithms = s_algorithms,
            RequireSignedTokens = true,
            ValidateIssuer = false,
            ValidateAudience = false,
            ValidateLifetime = false,
        });
        if (!signature.IsValid || token.Issuer != keys.Issuer)
        {
            return new(Refusal.InvalidToken);
        }

        var now = _time.GetUtcNow().UtcDateTime;
        return token.ValidTo == DateTime.MinValue ? new(Refusal.InvalidToken)
            : now >= Add(token.ValidTo, _options.ClockSkew) ? new(Refusal.ExpiredToken)
            : Add(now, _options.ClockSkew) < token.ValidFrom ? new(Refusal.EarlyToken)
            : !token.Audiences.Any(audience => _options.Audience.Contains(audience, StringComparer.Ordinal)) ? new(Refusal.Audience)
            : Identify(token);
    }

    private TokenResult Identify(JsonWebToken token)
    {
        using var claims = TokenClaims.Of(token);
        if (claims is null || claims.Find(_options.NameClaim).FirstOrDefault()?.Trim() is not { Length: > 0 } name)
        {
            return new(Refusal.NoName, _options.NameClaim);
        }

        // Some issuers let people enter any address.
        if (_options.NameClaim == "email" && claims.Find("email_verified").FirstOrDefault() == "false")
        {
            return new(Refusal.NoName, "email_verified");
        }

        var caller = _rules.Length == 0 ? _everybody : Array.Find(_rules, rule => claims.Fits(rule.Rule.Claim!, rule.Rule.Value!)).Caller;
        if (caller is null)
        {
            return new(Refusal.NoRule, Name);
        }

        var group = _options.GroupClaim is { } claim ? claims.Find(claim).FirstOrDefault(KeyNote.IsGroup) : null;
        return new(Refusal.None) { Caller = caller with { EndUser = name, Group = group ?? caller.Group } };
    }

    private Caller CallerOf(string setting, TokenGrantOptions grant, IssuerOptions issuer)
    {
        if (!ScopeNames.TryParse(Split(grant.Scopes ?? issuer.Scopes ?? "infer,read"), out var scopes))
        {
            throw new StartupProblemException($"'{setting}:{nameof(grant.Scopes)}' is '{grant.Scopes ?? issuer.Scopes}'; allowed: one or more of {ScopeNames.Allowed}, separated by commas.");
        }

        if (!ModelList.TryParse(Split(grant.Models ?? issuer.Models), out var models, out var wrong))
        {
            throw new StartupProblemException($"'{setting}:{nameof(grant.Models)}' holds '{wrong}', which is no name of a model and no pattern such as qwen*.");
        }

        var group = grant.Group ?? issuer.Group;
        if (group is not null && !KeyNote.IsGroup(group))
        {
            throw new StartupProblemException($"'{setting}:{nameof(grant.Group)}' is '{group}'; allowed: {KeyNote.AllowedGroup}.");
        }

        // No key has a name with a colon.
        var name = $"issuer:{Name}";
        var key = new ApiKey
        {
            Id = name,
            Name = name,
            Hash = [],
            Scopes = scopes,
            Models = models,
            Priority = grant.Priority ?? issuer.Priority ?? Priority.Normal,
            EndUserLimits = new(
                grant.RequestsPerMinute ?? issuer.RequestsPerMinute,
                grant.TokensPerMinute ?? issuer.TokensPerMinute,
                grant.ConcurrentRequests ?? issuer.ConcurrentRequests),
            Group = group,
            Created = _time.GetUtcNow(),
        };

        // A request is served to its end, whenever its token expires.
        return new Caller(name, key) { Revocation = null };
    }

    private static DateTime Add(DateTime time, TimeSpan span) => time > DateTime.MaxValue - span ? DateTime.MaxValue : time + span;

    private static string[] Split(string? list) => list?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}
