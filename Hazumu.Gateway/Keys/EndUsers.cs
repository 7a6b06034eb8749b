using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The names by which the gateway knows the people behind keys: as they are given, or a keyed hash where a secret is set.</summary>
internal sealed class EndUsers
{
    /// <summary>Characters that a name may have.</summary>
    public const int LongestName = 256;

    private const int ShortestSecret = 20;
    private const int HashBytes = 16;

    private readonly byte[]? _secret;

    /// <summary>Reads the settings.</summary>
    /// <exception cref="StartupProblemException">The secret is too short, given twice, or its file cannot be read.</exception>
    public EndUsers(EndUserOptions options)
    {
        const string Section = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.EndUsers)}";
        if (options is { HashKey: not null, HashKeyFile: not null })
        {
            throw new StartupProblemException($"'{Section}:{nameof(options.HashKey)}' and '{Section}:{nameof(options.HashKeyFile)}' are both set; set one of them.");
        }

        var secret = options.HashKey ?? (options.HashKeyFile is { } file ? SecretFile.Read($"{Section}:{nameof(options.HashKeyFile)}", file) : null);
        if (secret?.Length < ShortestSecret)
        {
            throw new StartupProblemException($"The secret of '{Section}' has {secret.Length} characters; it must have {ShortestSecret} or more, such as the output of 'openssl rand -hex 32'.");
        }

        _secret = secret is null ? null : Encoding.UTF8.GetBytes(secret);
    }

    /// <summary>The name that is kept of one that is given.</summary>
    public string Name(string given) =>
        _secret is null ? given : Convert.ToHexStringLower(HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes(given)).AsSpan(0, HashBytes));

    /// <summary>
    /// The id that distinguishes an end user of a key from those of other keys, and from the key itself.
    /// </summary>
    /// <param name="key">The key's name or id.</param>
    /// <param name="endUser">The end user; <see langword="null"/> for the key itself.</param>
    public static string IdOf(string key, string? endUser) => endUser is null ? key : $"{key}\n{endUser}";
}
