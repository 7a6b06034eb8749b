using System.Net.Http.Headers;
using System.Net.Security;

namespace Hazumu.Gateway.Configuration;

/// <summary>What an instance needs besides its address: a key, and whom its certificate may be of.</summary>
internal sealed class EngineAccess
{
    private const int MaxKeyLength = 4096;

    private readonly string? _authorities;
    private string? _key;
    private volatile AuthenticationHeaderValue? _authorization;

    private EngineAccess(string? authorities) => _authorities = authorities;

    /// <summary>The header that has the key; <see langword="null"/> without one.</summary>
    public AuthenticationHeaderValue? Authorization => _authorization;

    /// <summary>Reads what the settings say.</summary>
    /// <param name="name">The instance's name.</param>
    /// <param name="access">What they say.</param>
    /// <param name="known">What was read before.</param>
    /// <returns>The one before, with the key as it is now, unless the authorities are others or a key has come or gone.</returns>
    /// <exception cref="StartupProblemException">A file cannot be read, or holds no key or no certificate.</exception>
    public static EngineAccess Read(string name, InstanceAccess access, EngineAccess? known = null)
    {
        var setting = $"Gateway:InstanceAccess:{name}";
        var authorities = access.CaFile is { } file ? SecretFile.Read($"{setting}:CaFile", file) : null;
        var key = access.KeyFile is { } keyFile ? SecretFile.Read($"{setting}:KeyFile", keyFile) : null;
        if (known is null || known._authorities != authorities || (known._key is null) != (key is null))
        {
            if (authorities is not null)
            {
                OwnAuthorities.Check($"{setting}:CaFile", authorities);
            }

            known = new EngineAccess(authorities);
        }

        if (known._key != key)
        {
            known._authorization = key!.Length is > 0 and <= MaxKeyLength && key.All(character => character is > ' ' and <= '~')
                ? new AuthenticationHeaderValue("Bearer", key)
                : throw new StartupProblemException($"The file of '{setting}:KeyFile' must hold a key of 1 to {MaxKeyLength} visible ASCII characters without a space.");
            known._key = key;
        }

        return known;
    }

    /// <summary>How its certificate is looked at.</summary>
    public SslClientAuthenticationOptions Tls() => OwnAuthorities.Tls(_authorities);
}

/// <summary>Gives each request its instance's key, in place of whatever the client has sent.</summary>
internal sealed class KeyHandler(EngineAccess access, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = access.Authorization;
        return base.SendAsync(request, cancellationToken);
    }
}
