using System.Net.Http.Headers;
using System.Net.Security;

namespace Hazumu.Gateway.Configuration;

/// <summary>The key of an engine, and the authorities that may have signed its certificate.</summary>
internal sealed class EngineAccess
{
    private const int MaxKeyLength = 4096;

    private readonly string? _authorities;
    private string? _key;
    private volatile AuthenticationHeaderValue? _authorization;

    private EngineAccess(string? authorities) => _authorities = authorities;

    /// <summary>The header that has the key; <see langword="null"/> without one.</summary>
    public AuthenticationHeaderValue? Authorization => _authorization;

    /// <summary>Reads the settings of an engine.</summary>
    /// <param name="name">The engine's name.</param>
    /// <param name="engine">Its settings.</param>
    /// <param name="known">The previous result.</param>
    /// <returns>The previous result with the current key, unless the authorities have changed or a key was added or
    /// removed; <see langword="null"/> if neither is set.
    /// </returns>
    /// <exception cref="StartupProblemException">A file cannot be read, or contains no key or no
    /// certificate.</exception>
    public static EngineAccess? Read(string name, EngineOptions engine, EngineAccess? known = null)
    {
        var setting = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.Engines)}:{name}";
        var keySetting = engine.Key is null ? $"The file of '{setting}:{nameof(engine.KeyFile)}'" : $"'{setting}:{nameof(engine.Key)}'";
        var authorities = engine.CaFile is { } file ? SecretFile.Read($"{setting}:{nameof(engine.CaFile)}", file) : null;
        var key = engine.Key ?? (engine.KeyFile is { } keyFile ? SecretFile.Read($"{setting}:{nameof(engine.KeyFile)}", keyFile) : null);
        if (authorities is null && key is null)
        {
            return null;
        }

        if (known is null || known._authorities != authorities || (known._key is null) != (key is null))
        {
            if (authorities is not null)
            {
                OwnAuthorities.Check($"{setting}:{nameof(engine.CaFile)}", authorities);
            }

            known = new EngineAccess(authorities);
        }

        if (known._key != key)
        {
            known._authorization = key!.Length is > 0 and <= MaxKeyLength && key.All(character => character is > ' ' and <= '~')
                ? new AuthenticationHeaderValue("Bearer", key)
                : throw new StartupProblemException($"{keySetting} must hold a key of 1 to {MaxKeyLength} visible ASCII characters without a space.");
            known._key = key;
        }

        return known;
    }

    /// <summary>How its certificate is looked at.</summary>
    public SslClientAuthenticationOptions Tls() => OwnAuthorities.Tls(_authorities);
}

/// <summary>Gives each request its engine's key, in place of whatever the client has sent.</summary>
internal sealed class KeyHandler(EngineAccess access, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = access.Authorization;
        return base.SendAsync(request, cancellationToken);
    }
}
