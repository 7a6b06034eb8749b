using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Instances;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Requests;

namespace Hazumu.Gateway.Replicas;

/// <summary>
/// This gateway and others in front of the same instances. One of them, that which has run longest, admits for all: it alone gives slots
/// and counts keys' limits, so that all it promises stays true. What is admitted goes from each gateway straight to the instance.
/// </summary>
/// <remarks>
/// A gateway asks only one that is older than itself, so that no question goes in a circle, however the gateways see each other. Where one
/// that admits is gone, the next one waits for <see cref="Settling"/> before it gives slots: by then the others have told what they hold.
/// </remarks>
internal sealed partial class Peers : BackgroundService
{
    /// <summary>Where peers call each other.</summary>
    public const string Path = "/hazumu/peers/1";

    /// <summary>How long who begins to admit waits for what others hold, and for engines to let go of what a dead gateway had.</summary>
    public static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(2);

    private readonly GatewaySettings _settings;
    private readonly PeerScope _scope;
    private readonly NameResolver _names;
    private readonly TimeProvider _time;
    private readonly ILogger<Peers> _logger;
    private readonly TaskCompletionSource _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<HeldLease, bool> _held = new();
    private readonly ConcurrentDictionary<PeerSession, bool> _sessions = new();
    private readonly Dictionary<(string Url, IPAddress? Address), PeerLink> _links = [];
    private readonly HashSet<string> _told = [];
    private readonly Lock _lock = new();
    private volatile PeerLink? _admits;
    private volatile bool _isLeaving;
    private bool _hasLooked;
    private bool _hasChosen;
    private int _changes;

    public Peers(
        GatewaySettings settings, Fleet fleet, FleetMonitor monitor, Scheduler scheduler, KeyLimits limits, NameResolver names, TimeProvider time,
        IHostApplicationLifetime lifetime, ILogger<Peers> logger)
    {
        _settings = settings;
        _scope = new PeerScope(settings.Current.Peers, PeerKey.Authorities(settings.Current.Peers), fleet, monitor, scheduler, limits);
        _names = names;
        _time = time;
        _logger = logger;
        IsOn = settings.Current.Peers.Addresses.Count > 0;
        Started = time.GetUtcNow().UtcTicks;
        if (IsOn)
        {
            scheduler.Mode = AdmissionMode.Paused;
            lifetime.ApplicationStarted.Register(() => _listens.TrySetResult());
        }
    }

    /// <summary>Whether there may be others.</summary>
    public bool IsOn { get; }

    /// <summary>Who this gateway is: another identity at each start.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N");

    /// <summary>When it was started; ticks of UTC.</summary>
    public long Started { get; }

    /// <summary>Whether this gateway admits for all.</summary>
    public bool Admits => _admits is null;

    /// <summary>Whether this gateway stops.</summary>
    public bool IsLeaving => _isLeaving;

    /// <summary>Other gateways that are connected.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _links.Values.Where(link => link.IsUp).DistinctBy(link => link.Peer).Count();
            }
        }
    }

    /// <summary>Takes a slot, wherever slots are given now; <see cref="Scheduler.AcquireAsync"/> says how.</summary>
    public ValueTask<Admission.Admission> AcquireAsync(Ticket ticket, CancellationToken cancellationToken) =>
        IsOn ? AcquireAmongAllAsync(ticket, cancellationToken) : _scope.Scheduler.AcquireAsync(ticket, cancellationToken);

    /// <summary>Counts a request against its key's limits, wherever they are counted now. <see cref="Over"/> must follow.</summary>
    public ValueTask<CountedRequest> CountAsync(Caller caller, CancellationToken cancellationToken)
    {
        if (_admits is not null && KeyLimits.HasAny(caller))
        {
            return CountAmongAllAsync(caller, cancellationToken);
        }

        var lease = _scope.Limits.TryAcquire(caller, out var retryAfter);
        return new(new CountedRequest(lease.Reached, retryAfter, lease));
    }

    /// <summary>A counted request is over.</summary>
    public void Over(in CountedRequest counted, Caller caller, long tokens)
    {
        if (counted.Link is { } link)
        {
            link.Send(new(PeerWord.Over, counted.Id) { Tokens = tokens });
            return;
        }

        if (counted.Reached == ReachedLimit.None)
        {
            _scope.Limits.Debit(caller, tokens);
        }

        counted.Lease.Dispose();
    }

    /// <summary>Keeps a slot known to whoever admits.</summary>
    /// <param name="lease">The slot.</param>
    /// <param name="link">Who gave it, where that was not this gateway.</param>
    /// <param name="id">Its number there.</param>
    public void Keep(Lease lease, PeerLink? link = null, long id = 0)
    {
        if (lease.Held is not null)
        {
            return;
        }

        var held = new HeldLease(this, lease);
        if (link is not null)
        {
            held.GivenBy(link, id);
        }

        lease.Held = held;
        _held[held] = true;

        // It may have become another one just now, and again meanwhile.
        PeerLink? admits;
        do
        {
            admits = _admits;
            held.MoveTo(admits);
        }
        while (admits != _admits);
    }

    /// <summary>A slot was given back.</summary>
    public void Forget(HeldLease held) => _held.TryRemove(held, out _);

    /// <summary>A peer has come or gone.</summary>
    public void OnChanged(PeerLink link)
    {
        if (link.IsUp)
        {
            LogHere(link.Name);
        }
        else
        {
            LogGone(link.Name);
        }

        Choose();
    }

    /// <summary>A peer has lost its connection, and is there again.</summary>
    public void TellAgain(PeerLink link)
    {
        foreach (var held in _held.Keys)
        {
            held.TellAgain(link);
        }
    }

    /// <summary>Nobody is at an address. That it is so is usual where peers come and go; a key that is refused never is.</summary>
    public void OnUnreachable(PeerLink link, string reason, bool isRefused)
    {
        bool isNew;
        lock (_lock)
        {
            isNew = _told.Add($"{link.Name} {isRefused}");
        }

        if (isRefused && isNew)
        {
            LogRefused(link.Name);
        }
        else if (isNew)
        {
            LogUnreachable(link.Name, reason);
        }
    }

    /// <summary>Something failed that cannot.</summary>
    public void OnBug(Exception error) => LogBug(error);

    /// <summary>Answers a peer that calls.</summary>
    public async Task AcceptAsync(HttpContext context)
    {
        string key;
        try
        {
            key = PeerKey.Read(_scope.Options);
        }
        catch (StartupProblemException problem)
        {
            LogKey(problem.Message);
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        if (!PeerKey.Has(context.Request, key))
        {
            LogStranger(context.Connection.RemoteIpAddress);
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        if (!context.WebSockets.IsWebSocketRequest || _isLeaving)
        {
            context.Response.StatusCode = _isLeaving ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status400BadRequest;
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { KeepAliveInterval = PeerChannel.KeepAlive, KeepAliveTimeout = PeerChannel.Patience });
        var session = new PeerSession(this, _scope, new PeerChannel(socket));
        _sessions[session] = true;
        if (_isLeaving)
        {
            session.Close();
        }

        try
        {
            await session.RunAsync(CancellationToken.None);
        }
        finally
        {
            _sessions.TryRemove(session, out _);
        }
    }

    /// <summary>Breaks every connection of a peer's, as a network does.</summary>
    internal void Cut()
    {
        foreach (var session in _sessions.Keys)
        {
            session.Cut();
        }
    }

    /// <summary>This gateway stops: others admit from now on, and are told of what runs here until it is over.</summary>
    public void Leave()
    {
        if (!IsOn)
        {
            return;
        }

        _isLeaving = true;
        foreach (var session in _sessions.Keys)
        {
            session.Close();
        }

        PeerLink[] links;
        lock (_lock)
        {
            links = [.. _links.Values];
        }

        foreach (var link in links)
        {
            link.AnswerAll(question => question.Word == PeerWord.Ask ? new(PeerWord.Refuse, question.Id) { Outcome = Outcome.ShuttingDown, RetryAfter = 5 } : null);
        }

        Choose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!IsOn)
        {
            return;
        }

        try
        {
            await _listens.Task.WaitAsync(stoppingToken);
            while (true)
            {
                var links = await LookAsync(stoppingToken);
                if (!_hasLooked)
                {
                    await Task.WhenAll(links.Select(link => link.Tried)).WaitAsync(stoppingToken);
                    _hasLooked = true;
                    Choose();
                }

                await Task.Delay(s_round, _time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The gateway has stopped.
        }
    }

    private async ValueTask<Admission.Admission> AcquireAmongAllAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        while (true)
        {
            var link = _isLeaving ? null : _admits;
            var admission = link is null ? await _scope.Scheduler.AcquireAsync(ticket, cancellationToken) : await link.AcquireAsync(ticket, cancellationToken);
            if (!admission.IsMoved)
            {
                if (admission.Lease is { } lease)
                {
                    Keep(lease);
                }

                return admission;
            }

            // Whoever admits now is asked with what has been waited already.
            ticket.Placed = _scope.Fleet.Now;
            await Task.Yield();
        }
    }

    private async ValueTask<CountedRequest> CountAmongAllAsync(Caller caller, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_admits is not { } link || _isLeaving)
            {
                var lease = _scope.Limits.TryAcquire(caller, out var retryAfter);
                return new(lease.Reached, retryAfter, lease);
            }

            if (await link.CountAsync(caller.Key!, cancellationToken) is { } answer)
            {
                return new(answer.Reached, TimeSpan.FromSeconds(answer.RetryAfter), default, link, answer.Id);
            }
        }
    }

    private async Task<IReadOnlyList<PeerLink>> LookAsync(CancellationToken cancellationToken)
    {
        var found = new HashSet<(string, IPAddress?)>();
        foreach (var text in _scope.Options.Addresses)
        {
            foreach (var address in await ResolveAsync(new Uri(text), cancellationToken))
            {
                found.Add((text, address));
            }
        }

        lock (_lock)
        {
            foreach (var (key, link) in _links.Where(known => !found.Contains(known.Key) && !known.Value.IsUp).ToList())
            {
                _links.Remove(key);
                link.Dispose();
            }

            foreach (var (text, address) in found.Where(key => !_links.ContainsKey(key)))
            {
                var link = new PeerLink(this, _scope, new Uri(text), address);
                _links.Add((text, address), link);
                _ = link.RunAsync(cancellationToken);
            }

            return [.. _links.Values];
        }
    }

    private async Task<IPAddress?[]> ResolveAsync(Uri url, CancellationToken cancellationToken)
    {
        if (url.HostNameType != UriHostNameType.Dns || url.IsLoopback)
        {
            return [null];
        }

        try
        {
            return await _names(url.IdnHost, cancellationToken);
        }
        catch (SocketException error)
        {
            lock (_lock)
            {
                if (_told.Add(url.Host))
                {
                    LogUnresolved(url.Host, error.Message);
                }

                // Those that are known are known to be there or not by their connections.
                return [.. _links.Keys.Where(key => key.Url == url.OriginalString).Select(key => key.Address)];
            }
        }
    }

    private void Choose()
    {
        lock (_lock)
        {
            var next = _links.Values
                .Where(link => link.IsUp && (_isLeaving || (link.Started, link.Peer).CompareTo((Started, Id)) < 0))
                .MinBy(link => (link.Started, link.Peer));
            if (!_hasLooked || (_hasChosen && next == _admits))
            {
                return;
            }

            var takesOver = _hasChosen && next is null;
            var change = ++_changes;
            _hasChosen = true;
            _scope.Scheduler.Mode = next is not null ? AdmissionMode.Elsewhere : takesOver ? AdmissionMode.Paused : AdmissionMode.Open;

            // Before anybody asks there, and once more for what came meanwhile.
            MoveAllTo(next);
            _admits = next;
            MoveAllTo(next);
            if (next is not null)
            {
                LogAdmitsThere(next.Name);
            }
            else
            {
                LogAdmitsHere();
            }

            if (takesOver)
            {
                _ = OpenAsync(change);
            }
        }
    }

    private void MoveAllTo(PeerLink? link)
    {
        foreach (var held in _held.Keys)
        {
            held.MoveTo(link);
        }
    }

    private async Task OpenAsync(int change)
    {
        await Task.Delay(Settling, _time);
        lock (_lock)
        {
            if (change == _changes)
            {
                _scope.Scheduler.Mode = AdmissionMode.Open;
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The gateway at {Peer} is connected.")]
    private partial void LogHere(string peer);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The gateway at {Peer} is gone.")]
    private partial void LogGone(string peer);

    [LoggerMessage(Level = LogLevel.Information, Message = "No gateway answers at {Peer} yet ({Reason}); it is tried again.")]
    private partial void LogUnreachable(string peer, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The gateway at {Peer} has another key in 'Gateway:Peers': give all the same.")]
    private partial void LogRefused(string peer);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Somebody at {Address} called as a peer with a wrong key and was refused.")]
    private partial void LogStranger(IPAddress? address);

    [LoggerMessage(Level = LogLevel.Error, Message = "No peer can be accepted. {Problem}")]
    private partial void LogKey(string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The name '{Host}' of 'Gateway:Peers' cannot be resolved ({Reason}); it is tried again.")]
    private partial void LogUnresolved(string host, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The gateway at {Peer} admits for all.")]
    private partial void LogAdmitsThere(string peer);

    [LoggerMessage(Level = LogLevel.Information, Message = "This gateway admits for all.")]
    private partial void LogAdmitsHere();

    [LoggerMessage(Level = LogLevel.Error, Message = "A peer's question failed in the gateway itself.")]
    private partial void LogBug(Exception error);
}
