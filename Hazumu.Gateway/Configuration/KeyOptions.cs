using System.ComponentModel.DataAnnotations;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Configuration;

/// <summary>The section <c>Gateway:Keys</c>.</summary>
internal sealed class KeyOptions
{
    /// <summary>The section's name.</summary>
    public const string SectionName = "Gateway:Keys";

    /// <summary>Whether a request needs a key.</summary>
    [Setting("Whether a request needs a key")]
    public bool Required { get; set; }

    /// <summary>Whether running requests may finish when their key is revoked or expires; else they are cut off.</summary>
    [Setting("Whether running requests may finish when their key is revoked or expires; otherwise they are cut off")]
    public bool FinishRunning { get; set; }

    /// <summary>The file that the command <c>keys</c> writes; <see cref="DefaultFile"/> where it is not set.</summary>
    [Setting("The file that the command `keys` writes; by default hazumu/keys.json in the user's folder for data", Allowed = "a path")]
    public string? File { get; set; }

    /// <summary>Keys for machines, by name: given by configuration, not by the file.</summary>
    [Setting("Keys for machines, by name")]
    public Dictionary<string, ConfiguredKey> Configured { get; set; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// <c>hazumu/keys.json</c> below <c>$XDG_DATA_HOME</c>, <c>~/.local/share</c> or its like; null where the user has no such folder.
    /// </summary>
    public static string? DefaultFile =>
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } folder
            ? Path.Combine(folder, "hazumu", "keys.json")
            : null;
}

/// <summary>One key of <c>Gateway:Keys:Configured</c>.</summary>
internal sealed class ConfiguredKey
{
    /// <summary>
    /// The key, from a secret: a whole <c>hzm_…</c>, or any other 20 to 512 visible ASCII characters. This or <see cref="KeyFile"/>.
    /// </summary>
    [Setting("The key, from a secret", Allowed = "a key that begins with hzm_, or any other 20 to 512 visible ASCII characters")]
    public string? Key { get; set; }

    /// <summary>A file that contains the key, such as a mounted secret; read again when it changes.</summary>
    [Setting("A file that contains the key", Allowed = "a path")]
    public string? KeyFile { get; set; }

    /// <summary>Scopes, separated by commas.</summary>
    [Setting("The scopes of the key", Allowed = "infer, read and admin, separated by commas")]
    public string Scopes { get; set; } = "infer,read";

    /// <summary>Names and patterns of the models it may use, separated by commas; all where it is not set.</summary>
    [Setting("The models it may use", Allowed = "names and patterns, separated by commas")]
    public string? Models { get; set; }

    /// <summary>The priority of its requests.</summary>
    [Setting("The priority of its requests")]
    public Priority Priority { get; set; } = Priority.Normal;

    /// <summary>Requests within a minute.</summary>
    [Setting("A limit of the key", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? RequestsPerMinute { get; set; }

    /// <summary>Tokens within a minute.</summary>
    [Setting("A limit of the key", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? TokensPerMinute { get; set; }

    /// <summary>Requests at the same time.</summary>
    [Setting("A limit of the key", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? ConcurrentRequests { get; set; }

    /// <summary>How its requests name the people behind it, separated by commas; it is not trusted to name any where this is not set.</summary>
    [Setting("How its requests name the people behind it, in this order; unless it is set, they name no end user: see [People behind one key](#people-behind-one-key)", Allowed = "names of request headers such as X-OpenWebUI-User-Id, and 'body', separated by commas")]
    public string? EndUsers { get; set; }

    /// <summary>Requests of one end user within a minute.</summary>
    [Setting("A limit of each end user of the key", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? EndUserRequestsPerMinute { get; set; }

    /// <summary>Tokens of one end user within a minute.</summary>
    [Setting("A limit of each end user of the key", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? EndUserTokensPerMinute { get; set; }

    /// <summary>Requests of one end user at the same time.</summary>
    [Setting("A limit of each end user of the key", Allowed = "a number from 1 to 1000000000")]
    [Range(1, 1_000_000_000)]
    public int? EndUserConcurrentRequests { get; set; }

    /// <summary>The group that it belongs to.</summary>
    [Setting("The group that the key belongs to", Allowed = "1 to 64 characters")]
    public string? Group { get; set; }

    /// <summary>The time from which on it is refused: a date or time of ISO 8601.</summary>
    [Setting("The time from which on it is refused", Allowed = "a date or a time of ISO 8601")]
    public string? Expires { get; set; }
}
