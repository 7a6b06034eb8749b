using System.Net;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Hazumu.Gateway.Keys;

/// <summary>
/// The keys with which an issuer signs. They are fetched when a token needs them, again each hour, and when a token names a key that is not
/// known, but not more often than <see cref="Pause"/> allows: anybody can name any key.
/// </summary>
internal sealed partial class IssuerKeys
{
    /// <summary>Time between two attempts to fetch them.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>Time after which they are fetched again; meanwhile the old ones are used.</summary>
    public static readonly TimeSpan Refresh = TimeSpan.FromHours(1);

    /// <summary>Time for which they are used while the issuer cannot be reached.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromDays(1);

    private const int LargestDocument = 1024 * 1024;

    private readonly string _name;
    private readonly string _authority;
    private readonly string? _issuer;
    private readonly string? _authorities;
    private readonly Retriever _documents;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    // Guards what follows.
    private readonly Lock _gate = new();
    private Task _fetch = Task.CompletedTask;
    private long? _tried;
    private bool _hasFailed;
    private volatile Known? _known;

    /// <summary>Begins to fetch the keys, so that the log tells from the start if that fails.</summary>
    public IssuerKeys(string name, IssuerOptions options, string? authorities, TimeProvider time, ILogger logger)
    {
        (_name, _authority, _issuer, _authorities, _time, _logger) = (name, options.Authority!, options.Issuer, authorities, time, logger);
        _documents = new(new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.All,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
            SslOptions = OwnAuthorities.Tls(authorities),
            UseCookies = false,
        })
        {
            MaxResponseContentBufferSize = LargestDocument,
            Timeout = Pause,
        });
        _ = FetchAsync();
    }

    /// <summary>Whether they are those of an issuer with these settings.</summary>
    public bool Fits(IssuerOptions options, string? authorities) => (_authority, _issuer, _authorities) == (options.Authority, options.Issuer, authorities);

    /// <summary>Gets the keys, among them the one with an id if the issuer has it.</summary>
    /// <returns><see langword="null"/> if there are none, because the issuer cannot be reached.</returns>
    /// <exception cref="OperationCanceledException">The client has disconnected.</exception>
    public async ValueTask<Known?> FindAsync(string? id, CancellationToken cancellationToken)
    {
        if (_known is not { } known || !known.Has(id) || Age(known) >= Patience)
        {
            await FetchAsync().WaitAsync(cancellationToken);
        }
        else if (Age(known) >= Refresh)
        {
            _ = FetchAsync();
        }

        return _known is { } current && Age(current) < Patience ? current : null;
    }

    private TimeSpan Age(Known known) => _time.GetElapsedTime(known.Fetched);

    private Task FetchAsync()
    {
        lock (_gate)
        {
            if (_fetch.IsCompleted && (_tried is not { } tried || _time.GetElapsedTime(tried) >= Pause))
            {
                _tried = _time.GetTimestamp();
                _fetch = Task.Run(FetchNowAsync);
            }

            return _fetch;
        }
    }

    private async Task FetchNowAsync()
    {
        try
        {
            var found = await OpenIdConnectConfigurationRetriever.GetAsync($"{_authority.TrimEnd('/')}/.well-known/openid-configuration", _documents, CancellationToken.None);
            if (_issuer is null && found.Issuer?.TrimEnd('/') != _authority.TrimEnd('/'))
            {
                throw new InvalidDataException($"It calls itself '{found.Issuer}'; set 'Gateway:Issuers:{_name}:Issuer' to what its tokens have in 'iss'.");
            }

            var keys = found.SigningKeys.Where(key => key is RsaSecurityKey or ECDsaSecurityKey or X509SecurityKey).ToArray();
            if (keys.Length == 0)
            {
                throw new InvalidDataException("It has no RSA or EC key for signatures.");
            }

            _known = new(_issuer ?? found.Issuer!, keys, _time.GetTimestamp());
            if (_hasFailed)
            {
                LogBack(_name);
            }

            _hasFailed = false;
        }
        catch (Exception problem) when (problem is HttpRequestException or OperationCanceledException or IOException or InvalidDataException or JsonException
            or ArgumentException or InvalidOperationException or FormatException or NotSupportedException or System.Security.Cryptography.CryptographicException)
        {
            if (!_hasFailed)
            {
                LogFailed(_name, _authority, (problem.InnerException ?? problem).Message);
            }

            _hasFailed = true;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The keys of the issuer '{Issuer}' cannot be fetched from {Authority}; they are tried again when a token needs them. Keys that are known stay in use for a day. {Reason}")]
    private partial void LogFailed(string issuer, string authority, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The keys of the issuer '{Issuer}' have been fetched.")]
    private partial void LogBack(string issuer);

    /// <summary>What was fetched.</summary>
    /// <param name="Issuer">What tokens must name as their issuer.</param>
    /// <param name="Keys">The keys.</param>
    /// <param name="Fetched">When.</param>
    internal sealed record Known(string Issuer, IReadOnlyList<SecurityKey> Keys, long Fetched)
    {
        /// <summary>Whether there is a key with an id; a token without an id may be signed with any.</summary>
        public bool Has(string? id) => string.IsNullOrEmpty(id) || Keys.Any(key => key.KeyId == id);

        /// <summary>The keys that a token with this id may be signed with.</summary>
        public IEnumerable<SecurityKey> Find(string? id) => string.IsNullOrEmpty(id) ? Keys : Keys.Where(key => key.KeyId == id);
    }

    private sealed class Retriever(HttpClient http) : IDocumentRetriever
    {
        public async Task<string> GetDocumentAsync(string address, CancellationToken cancel)
        {
            // The document names the address of the keys.
            if (!new AuthorityAttribute().IsValid(address.Split('?')[0]))
            {
                throw new InvalidDataException($"'{address}' is no https URL.");
            }

            return await http.GetStringAsync(new Uri(address), cancel);
        }
    }
}
