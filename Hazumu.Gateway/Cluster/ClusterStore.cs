using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Hazumu.Gateway.Configuration;
using StackExchange.Redis;

namespace Hazumu.Gateway.Cluster;

/// <summary>The entry of the leading gateway in the store.</summary>
/// <param name="Id">Another one at each start.</param>
/// <param name="Address">The address at which it accepts the other gateways; the host 0.0.0.0 is replaced by that of
/// the interface that leads to the store.</param>
/// <param name="Token">The token that they must send: they read it from the store, which needs a password.</param>
internal sealed record LeaderRecord(string Id, string Address, string Token);

/// <summary>The leader's lock in Valkey. It expires by the store's clock if the leader does not renew it.</summary>
internal sealed class ClusterStore(ClusterOptions options) : IAsyncDisposable
{
    /// <summary>How long the lock outlives a leader that is killed. A leader that only cannot reach the store keeps those that are connected.</summary>
    public static readonly TimeSpan Expiry = TimeSpan.FromSeconds(1);

    private const int TimeoutMilliseconds = 1_000;
    private const int MinPassword = 20;
    private const int DefaultPort = 6379;

    private const string Key = "hazumu:gateway:leader";

    private readonly ConfigurationOptions _options = Read(options);
    private ConnectionMultiplexer? _connection;
    private string? _own;

    /// <summary>Returns the leader, after becoming it if there is none and this gateway may lead.</summary>
    /// <param name="own">This gateway.</param>
    /// <param name="mayLead">Whether the lock is taken if it is free, and renewed if this gateway holds it.</param>
    /// <returns><see langword="null"/> if there is none.</returns>
    /// <exception cref="Exception">The store cannot be reached; see <see cref="IsOutage"/>.</exception>
    public async Task<LeaderRecord?> FindLeaderAsync(LeaderRecord own, bool mayLead)
    {
        _own ??= JsonSerializer.Serialize(own with { Address = await CompleteAsync(own.Address) }, ClusterJson.Default.LeaderRecord);
        _connection ??= await ConnectionMultiplexer.ConnectAsync(_options);
        var database = _connection.GetDatabase();
        if (mayLead && (await database.LockExtendAsync(Key, _own, Expiry) || await database.LockTakeAsync(Key, _own, Expiry)))
        {
            return own;
        }

        var holder = (string?)await database.LockQueryAsync(Key);
        return holder is null ? null : JsonSerializer.Deserialize(holder, ClusterJson.Default.LeaderRecord);
    }

    /// <summary>Releases the lock, so that another gateway leads without waiting for its expiry.</summary>
    public Task ReleaseAsync() => _connection?.GetDatabase().LockReleaseAsync(Key, _own) ?? Task.CompletedTask;

    /// <summary>Whether an error says that the store cannot be reached, refuses the password, or does not answer.</summary>
    public static bool IsOutage(Exception error) => error is RedisException or TimeoutException or SocketException;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _connection?.DisposeAsync() ?? default;

    /// <summary>Checks the settings.</summary>
    /// <exception cref="StartupProblemException">The address or the password is not allowed, or a file cannot be read.</exception>
    public static void Check(ClusterOptions options) => Read(options);

    private static ConfigurationOptions Read(ClusterOptions options)
    {
        if (string.IsNullOrEmpty(options.Password) == string.IsNullOrEmpty(options.PasswordFile))
        {
            throw new StartupProblemException($"'Gateway:Cluster' needs one of 'Password' and 'PasswordFile', and {(string.IsNullOrEmpty(options.Password) ? "neither is" : "both are")} set.");
        }

        if (options.Store!.Split(',').Any(part => part.Split('=')[0].Trim().Equals("password", StringComparison.OrdinalIgnoreCase)))
        {
            throw new StartupProblemException("'Gateway:Cluster:Store' has a password; set 'Gateway:Cluster:PasswordFile' to a file with it instead.");
        }

        var read = new ConfigurationOptions();
        try
        {
            read = ConfigurationOptions.Parse(options.Store);
        }
        catch (ArgumentException)
        {
            // Without an address, below.
        }

        if (read.EndPoints.Count != 1)
        {
            throw new StartupProblemException($"'Gateway:Cluster:Store' begins with '{options.Store.Split(',')[0]}'; it must be the address of one Valkey or Redis such as 'valkey:6379', or with TLS 'valkey:6379,ssl=true'.");
        }

        read.Password = string.IsNullOrEmpty(options.Password) ? SecretFile.Read("Gateway:Cluster:PasswordFile", options.PasswordFile!) : options.Password;
        if (read.Password.Length < MinPassword || read.Password.Any(letter => char.IsWhiteSpace(letter) || letter is '"' or '\'' or '\\'))
        {
            throw new StartupProblemException($"The password of 'Gateway:Cluster' must have {MinPassword} characters or more, and no white space, quote or backslash: everybody who knows it can admit for all gateways, and Valkey's configuration reads the other characters differently.");
        }

        if (options.CaFile is { } authorities)
        {
            OwnAuthorities.Check("Gateway:Cluster:CaFile", SecretFile.Read("Gateway:Cluster:CaFile", authorities));
            read.TrustIssuer(authorities);
        }

        read.EndPoints[0] = read.EndPoints[0] is DnsEndPoint { Port: 0 } name ? new DnsEndPoint(name.Host, DefaultPort) : read.EndPoints[0];
        (read.AbortOnConnectFail, read.BacklogPolicy) = (false, BacklogPolicy.FailFast);
        read.ConnectTimeout = read.AsyncTimeout = TimeoutMilliseconds;
        read.ReconnectRetryPolicy = new LinearRetry(TimeoutMilliseconds);
        return read;
    }

    // By default the address of the interface that leads to the store.
    private async Task<string> CompleteAsync(string address)
    {
        var url = new UriBuilder(address);
        if (url.Host == IPAddress.Any.ToString())
        {
            // A name server or a store that is silent must not keep this gateway from admitting.
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(_options.EndPoints[0]).WaitAsync(TimeSpan.FromMilliseconds(TimeoutMilliseconds));
            var own = ((IPEndPoint)socket.LocalEndPoint!).Address;
            url.Host = (own.IsIPv4MappedToIPv6 ? own.MapToIPv4() : own).ToString();
        }

        return url.Uri.GetLeftPart(UriPartial.Authority);
    }
}
