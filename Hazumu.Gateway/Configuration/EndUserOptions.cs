namespace Hazumu.Gateway.Configuration;

/// <summary>The section <c>Gateway:EndUsers</c>: the people behind keys and tokens. Read at the start.</summary>
internal sealed class EndUserOptions
{
    /// <summary>The secret with which their names are hashed. This or <see cref="HashKeyFile"/>; they are written as they are where neither is set.</summary>
    [Setting("A secret: with it, end users are named by a keyed hash (HMAC-SHA256) everywhere, the access log included. The same for all gateways that share a store. Read at the start", Allowed = "20 characters or more; this or 'HashKeyFile'")]
    public string? HashKey { get; set; }

    /// <summary>A file that holds that secret.</summary>
    [Setting("A file that holds that secret; white space around it is left out", Allowed = "a path")]
    public string? HashKeyFile { get; set; }
}
