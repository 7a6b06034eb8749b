using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Replicas;

/// <summary>The secret that peers know each other by. A file is read at each use, which is when a peer connects: it may be replaced at any time.</summary>
internal static class PeerKey
{
    private const int MinLength = 20;
    private const int MaxLength = 512;
    private const string Bearer = "Bearer ";

    /// <summary>Says what is wrong with the settings.</summary>
    /// <exception cref="StartupProblemException">There is no key, or one that is not allowed; or a file is not as it must be.</exception>
    public static void Check(PeerOptions options)
    {
        Read(options);
        if (Authorities(options) is { } authorities)
        {
            OwnAuthorities.Check("Gateway:Peers:CaFile", authorities);
        }
    }

    /// <summary>The authorities of peers' certificates, in PEM; <see langword="null"/> for the system's.</summary>
    /// <exception cref="StartupProblemException">The file cannot be read.</exception>
    public static string? Authorities(PeerOptions options) => options.CaFile is { } file ? SecretFile.Read("Gateway:Peers:CaFile", file) : null;

    /// <summary>Reads the key.</summary>
    /// <exception cref="StartupProblemException">There is none, or it is not allowed.</exception>
    public static string Read(PeerOptions options)
    {
        if (string.IsNullOrEmpty(options.Key) == string.IsNullOrEmpty(options.KeyFile))
        {
            throw new StartupProblemException($"'Gateway:Peers' needs one of 'Key' and 'KeyFile', and {(string.IsNullOrEmpty(options.Key) ? "neither is" : "both are")} set; give all gateways the same secret.");
        }

        var key = string.IsNullOrEmpty(options.Key) ? SecretFile.Read("Gateway:Peers:KeyFile", options.KeyFile!) : options.Key;
        return key.Length is >= MinLength and <= MaxLength && key.All(character => character is > ' ' and <= '~')
            ? key
            : throw new StartupProblemException($"The key of 'Gateway:Peers' must have {MinLength} to {MaxLength} visible ASCII characters without a space.");
    }

    /// <summary>What to send.</summary>
    public static string HeaderOf(string key) => Bearer + key;

    /// <summary>Whether a request has the key.</summary>
    public static bool Has(HttpRequest request, string key) => CryptographicOperations.FixedTimeEquals(
        Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString()), Encoding.UTF8.GetBytes(HeaderOf(key)));
}
