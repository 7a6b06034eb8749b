using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Microsoft.AspNetCore.DataProtection;

namespace Hazumu.Gateway.Console;

/// <summary>
/// Sessions of the console: an encrypted cookie that names the key which signed in, and is valid for as long as that key is and has
/// the same secret. The keys of the encryption are in memory only, so a restart ends every session.
/// </summary>
internal sealed class Sessions
{
    private const string CookieName = "hazumu-console";
    private const string HashClaim = "hash";
    private const string AddressClaim = "address";

    private readonly KeyStore _keys;
    private readonly GatewaySettings _settings;
    private readonly TimeProvider _time;
    private readonly IDataProtector _protector;

    public Sessions(KeyStore keys, GatewaySettings settings, TimeProvider time, IDataProtectionProvider protection)
    {
        (_keys, _settings, _time) = (keys, settings, time);
        _protector = protection.CreateProtector("Hazumu.Gateway.Console.Sessions");
    }

    /// <summary>Whether a session is needed; where no key is required, the console is open as the API is.</summary>
    public bool IsRequired => _keys.Current.IsRequired;

    /// <summary>Begins a session, or extends it.</summary>
    public void Begin(HttpContext context, Caller caller)
    {
        var ends = _time.GetUtcNow() + _settings.Current.Console.Session;
        var key = caller.Key!;
        var text = $"{ends.ToUnixTimeSeconds()} {Convert.ToHexString(key.Hash)} {key.Id}";
        context.Response.Cookies.Append(CookieName, _protector.Protect(text), Options(context));
    }

    /// <summary>Ends the session of a browser.</summary>
    public static void End(HttpContext context) => context.Response.Cookies.Delete(CookieName, Options(context));

    /// <summary>Finds the session of a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="ends">When it ends, unless it is extended.</param>
    /// <returns>The caller; <see langword="null"/> if there is no session, or it has ended.</returns>
    public Caller? Find(HttpContext context, out DateTimeOffset ends)
    {
        ends = DateTimeOffset.MaxValue;
        if (!IsRequired)
        {
            return Caller.Anonymous;
        }

        if (context.Request.Cookies[CookieName] is not { Length: > 0 and < 4096 } cookie)
        {
            return null;
        }

        string[] parts;
        try
        {
            parts = _protector.Unprotect(cookie).Split(' ', 3);
        }
        catch (CryptographicException)
        {
            // Of a gateway that has been restarted.
            return null;
        }

        ends = DateTimeOffset.FromUnixTimeSeconds(long.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture));
        return ends > _time.GetUtcNow() ? Find(parts[2], Convert.FromHexString(parts[1])) : null;
    }

    /// <summary>Describes the caller to what handles the request, and to its interactive parts.</summary>
    public static ClaimsPrincipal Describe(Caller caller, IPAddress? address)
    {
        List<Claim> claims = [new(ClaimTypes.Name, caller.Name), new(AddressClaim, address?.ToString() ?? "")];
        if (caller.Key is { } key)
        {
            claims.Add(new(ClaimTypes.NameIdentifier, key.Id));
            claims.Add(new(HashClaim, Convert.ToHexString(key.Hash)));
        }

        return new(new ClaimsIdentity(claims, caller.Key is null ? "open" : "key"));
    }

    /// <summary>Finds the caller again.</summary>
    /// <returns>The caller; <see langword="null"/> if the key is not valid any more, or is required now.</returns>
    public Caller? Find(ClaimsPrincipal user)
    {
        if (!IsRequired)
        {
            return Caller.Anonymous;
        }

        return user.FindFirst(ClaimTypes.NameIdentifier)?.Value is { } id && user.FindFirst(HashClaim)?.Value is { } hash
            ? Find(id, Convert.FromHexString(hash))
            : null;
    }

    /// <summary>The address that a caller's browser has.</summary>
    public static IPAddress? AddressOf(ClaimsPrincipal user) =>
        IPAddress.TryParse(user.FindFirst(AddressClaim)?.Value, out var address) ? address : null;

    // Rotating a key ends its sessions: whoever has seen the former secret may have one.
    private Caller? Find(string id, byte[] hash) =>
        _keys.Current.FindSame(id, hash) is { } caller && caller.Key!.Hash.AsSpan().SequenceEqual(hash)
            && caller.Has(Scope.Admin) && !(caller.Key.Expires <= _time.GetUtcNow()) ? caller : null;

    private static CookieOptions Options(HttpContext context) => new()
    {
        HttpOnly = true,
        IsEssential = true,
        Path = ConsoleHost.Path,
        SameSite = SameSiteMode.Strict,
        Secure = context.Request.IsHttps,
    };
}
