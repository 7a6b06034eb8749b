namespace Hazumu.Gateway.Keys;

/// <summary>The limits of a key, or of each end user of a key; each is <see langword="null"/> where there is no limit.</summary>
/// <param name="RequestsPerMinute">Requests within a minute.</param>
/// <param name="TokensPerMinute">Tokens within a minute, of prompts and of answers.</param>
/// <param name="ConcurrentRequests">Requests at the same time.</param>
internal readonly record struct Limits(int? RequestsPerMinute = null, int? TokensPerMinute = null, int? ConcurrentRequests = null)
{
    /// <summary>Whether there is any.</summary>
    public bool HasAny => (RequestsPerMinute ?? TokensPerMinute ?? ConcurrentRequests) is not null;
}
