using System.Net;
using System.Threading.RateLimiting;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Clients;

namespace Hazumu.Gateway.Console;

/// <summary>What became of an attempt to sign in.</summary>
internal enum SignInResult
{
    /// <summary>The session has begun.</summary>
    Done,

    /// <summary>The key is not valid.</summary>
    Wrong,

    /// <summary>The key has expired, or has another secret since it was rotated.</summary>
    Expired,

    /// <summary>The key lacks the scope <c>admin</c>.</summary>
    Scope,

    /// <summary>The address has made too many attempts.</summary>
    TooMany,
}

/// <summary>Signs in to the console with a key that has the scope <c>admin</c>.</summary>
internal sealed partial class SignIn(KeyStore keys, Sessions sessions, TimeProvider time, ILogger<SignIn> logger) : IDisposable
{
    /// <summary>Attempts that one address may make in a minute.</summary>
    public const int AttemptsPerMinute = 10;

    private readonly PartitionedRateLimiter<IPAddress> _attempts = PartitionedRateLimiter.Create<IPAddress, AddressBlock>(address =>
        RateLimitPartition.GetFixedWindowLimiter(AddressBlock.Of(address), _ => new() { PermitLimit = AttemptsPerMinute, Window = TimeSpan.FromMinutes(1) }));

    /// <summary>Begins a session, if the key is one that may have it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="text">The key.</param>
    public SignInResult Try(HttpContext context, string text)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        using var attempt = _attempts.AttemptAcquire(address);
        DateTimeOffset? former = null;
        var caller = attempt.IsAcquired ? keys.Current.Find(text.Trim(), out former) : null;
        var result = !attempt.IsAcquired ? SignInResult.TooMany
            : caller is null ? SignInResult.Wrong
            // A secret from before a rotation serves the API for a while, not the console.
            : former is not null || caller.Key!.Expires <= time.GetUtcNow() ? SignInResult.Expired
            : !caller.Has(Scope.Admin) ? SignInResult.Scope
            : SignInResult.Done;
        if (result == SignInResult.Done)
        {
            sessions.Begin(context, caller!);
            LogSignedIn(caller!.Name, address);
        }
        else
        {
            LogRefused(address, result);
        }

        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => _attempts.Dispose();

    [LoggerMessage(Level = LogLevel.Information, Message = "Console: the key '{Key}' has signed in from {Address}.")]
    private partial void LogSignedIn(string key, IPAddress address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Console: a sign-in from {Address} was refused ({Reason}).")]
    private partial void LogRefused(IPAddress address, SignInResult reason);
}
