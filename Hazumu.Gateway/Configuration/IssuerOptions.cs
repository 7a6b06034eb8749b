using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>What the tokens of an issuer allow, or those of one of its rules.</summary>
internal abstract class TokenGrantOptions
{
    /// <summary>Scopes, separated by commas.</summary>
    [Setting("The rights of its tokens; of a rule, what the issuer's allow unless it is set. Without it, infer and read", Allowed = "infer, read and admin, separated by commas")]
    public string? Scopes { get; set; }

    /// <summary>Names and patterns of models, separated by commas.</summary>
    [Setting("The models that they may use", Allowed = "names and patterns, separated by commas")]
    public string? Models { get; set; }

    /// <summary>The priority of their requests.</summary>
    [Setting("The priority of their requests; normal unless it is set")]
    public Priority? Priority { get; set; }

    /// <summary>The group that they belong to.</summary>
    [Setting("The group that they belong to", Allowed = "1 to 64 characters")]
    public string? Group { get; set; }

    /// <summary>Requests of one subject within a minute.</summary>
    [Setting("A limit of each subject", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? RequestsPerMinute { get; set; }

    /// <summary>Tokens of one subject within a minute.</summary>
    [Setting("A limit of each subject", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? TokensPerMinute { get; set; }

    /// <summary>Requests of one subject at the same time.</summary>
    [Setting("A limit of each subject", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? ConcurrentRequests { get; set; }
}

/// <summary>One issuer of <c>Gateway:Issuers</c>, whose tokens (JWT) are accepted beside keys.</summary>
internal sealed class IssuerOptions : TokenGrantOptions
{
    /// <summary>The address below which <c>/.well-known/openid-configuration</c> lies.</summary>
    [Setting("The address of the issuer, below which /.well-known/openid-configuration lies", Allowed = "an https URL such as 'https://login.example.org/realms/team'; http on this machine only")]
    [Authority]
    public string? Authority { get; set; }

    /// <summary>What tokens name as their issuer; what the discovery document names unless it is set.</summary>
    [Setting("The issuer in the tokens (`iss`), where that is not the authority", Allowed = "a text")]
    public string? Issuer { get; set; }

    /// <summary>Whom tokens must be for; one of these.</summary>
    [Setting("Whom tokens must be for (`aud`): one of these. Must be set", Allowed = "texts, separated by commas")]
    public IReadOnlyList<string> Audience { get; set; } = [];

    /// <summary>The claim that names the subject in logs, limits and usage.</summary>
    [Setting("The claim that names the subject in the access log, limits and usage. It must be unique, and nothing that people can change themselves", Allowed = "the name of a claim")]
    public string NameClaim { get; set; } = "sub";

    /// <summary>The claim that names the group of the subject; the group of the rule counts where a token has none.</summary>
    [Setting("The claim that names the group of the subject, in place of `Group`", Allowed = "the name of a claim")]
    public string? GroupClaim { get; set; }

    /// <summary>How far the issuer's clock may be from the gateway's.</summary>
    [Setting("How far the issuer's clock may be from the gateway's", Allowed = Duration.Rule)]
    [PositiveDuration]
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The certificates of the authorities that its own is trusted by, in PEM; the system's unless it is set.</summary>
    [Setting("A file with the authorities that the issuer's certificate may be of; the system's unless it is set", Allowed = "a path")]
    public string? CaFile { get; set; }

    /// <summary>The rights of tokens with a certain claim, by name; the first rule that fits counts, in the order of their names.</summary>
    [Setting("The rights of tokens with a certain claim")]
    public Dictionary<string, IssuerRuleOptions> Rules { get; set; } = new(StringComparer.OrdinalIgnoreCase);
}

/// <summary>One rule of an issuer.</summary>
internal sealed class IssuerRuleOptions : TokenGrantOptions
{
    /// <summary>The claim that is looked at.</summary>
    [Setting("The claim that a token must have; rules are tried in the order of their names, and the first that fits counts. With rules, a token that none fits is refused", Allowed = "the name of a claim; with dots, one within another, such as 'realm_access.roles'")]
    public string? Claim { get; set; }

    /// <summary>Its value, or one of its values.</summary>
    [Setting("The value of that claim, or one of its values", Allowed = "a text, in which * stands for any")]
    public string? Value { get; set; }
}
