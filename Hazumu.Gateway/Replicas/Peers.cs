using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Replicas;

/// <summary>
/// This gateway and others in front of the same instances. One of them, that which has run longest, admits for all: it alone gives slots
/// and counts keys' limits, so that all it promises stays true. What is admitted goes from each gateway straight to the instance.
/// </summary>
/// <remarks>
/// Who has run longest is told by places, which all see alike: ages are seen later than they are told, so that two might each take itself
/// for the older, and three for a circle. A gateway takes a place behind all that it sees when it has looked for the others for the first
/// time, and goes behind one that it meets later and that has run longer. It never goes forward.
///
/// A gateway asks only one that is older than itself, so that no question goes in a circle, however the gateways see each other. Where one
/// that admits is gone, the next one waits for <see cref="Settling"/> before it gives slots: by then the others have told what they hold.
/// </remarks>
internal sealed partial class Peers : BackgroundService, IAdmission
{
    /// <summary>Where peers call each other.</summary>
    public const string Path = "/hazumu/peers/3";

    /// <summary>How long who begins to admit waits for what others hold, and for engines to let go of what a dead gateway had.</summary>
    public static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan s_round = TimeSpan.FromSeconds(2);

    // How soon a name is asked for again while it is not known who is there, and how long: where there is none after that, there is nobody.
    private static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_nameless = TimeSpan.FromSeconds(10);

    // How often refused calls are logged at most.
    private static readonly TimeSpan s_strangers = TimeSpan.FromMinutes(1);

    private readonly GatewaySettings _settings;
    private readonly PeerScope _scope;
    private readonly NameResolver _names;
    private readonly TimeProvider _time;
    private readonly ILogger<Peers> _logger;
    private readonly TaskCompletionSource _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<Held, bool> _held = new();
    private readonly ConcurrentDictionary<PeerSession, bool> _sessions = new();
    private readonly Dictionary<(string Url, IPAddress? Address), PeerLink> _links = [];
    private readonly HashSet<string> _told = [];
    private readonly Lock _lock = new();
    private volatile PeerLink? _admits;
    private volatile bool _isLeaving;
    private readonly long _started;
    private volatile TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _hasChosen;
    private bool _hasLooked;
    private int? _place;
    private int _changes;
    private int _strangers;
    private long _strangersToldAt;

    public Peers(
        GatewaySettings settings, Fleet fleet, FleetMonitor monitor, Scheduler scheduler, KeyLimits limits, NameResolver names, TimeProvider time,
        IHostApplicationLifetime lifetime, ILogger<Peers> logger)
    {
        _settings = settings;
        _scope = new PeerScope(settings.Current.Peers, PeerKey.Authorities(settings.Current.Peers), fleet, monitor, scheduler, limits);
        _names = names;
        _time = time;
        _logger = logger;
        _started = time.GetTimestamp();
        scheduler.Mode = AdmissionMode.Paused;
        lifetime.ApplicationStarted.Register(() => _listens.TrySetResult());
    }

    /// <summary>Who this gateway is: another identity at each start.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N");

    /// <summary>How long this gateway has run, by a clock that nobody sets.</summary>
    public TimeSpan Age => _time.GetElapsedTime(_started);

    /// <inheritdoc/>
    public bool IsAdmitting => _hasChosen && _admits is null;

    /// <summary>Slots that peers hold.</summary>
    public PeerHoldings<Lease> Leases { get; } = new();

    /// <summary>Requests of peers that are counted against the limits of their keys.</summary>
    public PeerHoldings<HeldCount> Counts { get; } = new();

    /// <summary>Whether this gateway stops.</summary>
    public bool IsLeaving => _isLeaving;

    /// <inheritdoc/>
    int IAdmission.Peers => Count;

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

    /// <inheritdoc/>
    public SlotDecision? FindRefusal(string model, string key) => _scope.Scheduler.RefusalOf(model, key);

    /// <inheritdoc/>
    public ValueTask<LimitDecision> CountRequestAsync(Caller caller, CancellationToken cancellationToken) =>
        KeyLimits.HasAny(caller) ? CountAmongAllAsync(caller, cancellationToken) : default;

    /// <inheritdoc/>
    public void Stop()
    {
        Leave();
        _scope.Scheduler.Close();
    }

    /// <summary>Keeps a slot known to whoever admits.</summary>
    /// <param name="lease">The slot.</param>
    /// <param name="link">Who gave it, where that was not this gateway.</param>
    /// <param name="id">Its number there.</param>
    /// <param name="channel">The connection over which it was given.</param>
    public HeldLease Keep(Lease lease, PeerLink? link = null, long id = 0, PeerChannel? channel = null)
    {
        if (lease.Observer is HeldLease known)
        {
            return known;
        }

        var held = new HeldLease(this, lease);
        lease.Observer = held;
        Keep(held, link, id, channel);
        return held;
    }

    /// <summary>Keeps a request that is counted known to whoever admits.</summary>
    /// <param name="caller">Whose it is; a key with limits.</param>
    /// <param name="lease">What it holds here.</param>
    /// <param name="link">Who counted it, where that was not this gateway.</param>
    /// <param name="id">Its number there.</param>
    /// <param name="channel">The connection over which it was told.</param>
    public HeldCount Keep(Caller caller, LimitLease lease, PeerLink? link = null, long id = 0, PeerChannel? channel = null)
    {
        var held = new HeldCount(this, _scope.Limits, caller, lease);
        Keep(held, link, id, channel);
        return held;
    }

    /// <summary>Something is over.</summary>
    public void Forget(Held held) => _held.TryRemove(held, out _);

    /// <summary>Tells whoever admits what a key has used.</summary>
    public void TellUse(ApiKey key) => _admits?.Send(PeerMessage.Used(key, _scope.Limits.UseOf(key)));

    /// <summary>Tells a peer that calls who this gateway is.</summary>
    public void Greet(PeerSession session)
    {
        // One that calls just now must not hear of an earlier place last.
        lock (_lock)
        {
            session.Greet(new(PeerWord.Welcome) { Peer = Id, Age = (long)Age.TotalMilliseconds, Place = _place });
        }
    }

    /// <summary>A peer may have another place.</summary>
    public void OnPlaced() => Choose();

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

        TellUse(link);
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
            CountStranger(context.Connection.RemoteIpAddress);
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
            link.AnswerAll(question => question.Word == PeerWord.Ask ? new(PeerWord.Refuse, question.Id) { Status = AdmissionStatus.ShuttingDown, RetryAfter = 5 } : null);
        }

        Choose();
        _settled.TrySetResult();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await _listens.Task.WaitAsync(stoppingToken);
            var began = _time.GetTimestamp();
            while (true)
            {
                var (links, isWhole) = await LookAsync(stoppingToken);
                if (!_hasLooked)
                {
                    await Task.WhenAll(links.Select(link => link.Tried)).WaitAsync(stoppingToken);
                    if (isWhole || links.Any(link => link.IsUp && link.Place is not null) || _time.GetElapsedTime(began) >= s_nameless)
                    {
                        _hasLooked = true;
                        Choose();
                    }
                }

                await Task.Delay(_hasLooked ? s_round : s_soon, _time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The gateway has stopped.
        }
    }

    // A line for each would let anybody fill the log.
    private void CountStranger(IPAddress? address)
    {
        Interlocked.Increment(ref _strangers);
        var now = _time.GetTimestamp();
        var toldAt = Interlocked.Read(ref _strangersToldAt);
        if ((toldAt == 0 || _time.GetElapsedTime(toldAt, now) >= s_strangers) && Interlocked.CompareExchange(ref _strangersToldAt, now, toldAt) == toldAt)
        {
            LogStranger(Interlocked.Exchange(ref _strangers, 0), address);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<SlotDecision> AcquireSlotAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        while (true)
        {
            var link = _isLeaving ? null : _admits;
            var admission = link is null ? await _scope.Scheduler.AcquireAsync(ticket, cancellationToken) : await link.AcquireAsync(ticket, cancellationToken);
            if (admission.Status != AdmissionStatus.Moved)
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

    private async ValueTask<LimitDecision> CountAmongAllAsync(Caller caller, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_isLeaving || _admits is not { } link)
            {
                if (!_isLeaving && _settled is { Task.IsCompleted: false } settled)
                {
                    // What others know of the key is not known here yet.
                    await settled.Task.WaitAsync(cancellationToken);
                    continue;
                }

                var lease = _scope.Limits.TryAcquire(caller, out var retryAfter);
                return new(lease.Reached, retryAfter, lease.IsAcquired ? Keep(caller, lease) : null);
            }

            if (await link.CountAsync(caller, cancellationToken) is { } counted)
            {
                return counted;
            }
        }
    }

    private void Keep(Held held, PeerLink? link, long id, PeerChannel? channel)
    {
        if (link is not null)
        {
            held.GivenBy(link, id);
        }

        _held[held] = true;

        // It may have become another one just now, and again meanwhile.
        PeerLink? admits;
        do
        {
            admits = _admits;
            held.MoveTo(admits);
        }
        while (admits != _admits);

        // It was not here yet when all was told again over another connection than it came by.
        if (link is not null && !link.IsOn(channel))
        {
            held.TellAgain(link);
        }
    }

    private async Task<(IReadOnlyList<PeerLink> Links, bool IsWhole)> LookAsync(CancellationToken cancellationToken)
    {
        var found = new HashSet<(string Url, IPAddress? Address)>();
        var isWhole = true;
        foreach (var text in _scope.Options.Addresses)
        {
            var addresses = await ResolveAsync(new Uri(text), cancellationToken);
            isWhole &= addresses.Length > 0;
            found.UnionWith(addresses.Select(address => (text, address)));
        }

        lock (_lock)
        {
            // Those of a name that is not resolved are known to be there or not by their connections.
            found.UnionWith(_links.Keys.Where(known => !found.Any(key => key.Url == known.Url)).ToList());
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

            return ([.. _links.Values], isWhole);
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
            }

            return [];
        }
    }

    private void Choose()
    {
        lock (_lock)
        {
            if (!_hasLooked)
            {
                return;
            }

            var others = _links.Values.Where(link => link.IsUp).ToList();
            TakePlace(others);
            var next = others.Where(link => _isLeaving || IsBefore(link)).MinBy(link => (link.Place ?? int.MaxValue, link.Peer));
            if (_hasChosen && next == _admits)
            {
                return;
            }

            // Those who start together first find out who is the first of them.
            var takesOver = next is null && (_hasChosen || others.Count > 0);
            var change = ++_changes;
            if (takesOver && _settled.Task.IsCompleted)
            {
                _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

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
            else
            {
                _settled.TrySetResult();
            }
        }
    }

    // Who has none yet comes after all that are there; who has one keeps it, but for one that has run longer.
    private void TakePlace(IReadOnlyList<PeerLink> others)
    {
        var place = _place ?? 0;
        foreach (var other in others)
        {
            if (other.Place is { } theirs && (theirs, other.Peer).CompareTo((place, Id)) > 0 && (_place is null || other.OlderBy > TimeSpan.Zero))
            {
                place = theirs + 1;
            }
        }

        if (place != _place)
        {
            _place = place;
            foreach (var session in _sessions.Keys)
            {
                Greet(session);
            }
        }
    }

    private bool IsBefore(PeerLink link) => link.Place is { } theirs && (theirs, link.Peer).CompareTo((_place.GetValueOrDefault(), Id)) < 0;

    private void MoveAllTo(PeerLink? link)
    {
        foreach (var held in _held.Keys)
        {
            held.MoveTo(link);
        }

        if (link is not null)
        {
            TellUse(link);
        }
    }

    private void TellUse(PeerLink link)
    {
        foreach (var (key, use) in _scope.Limits.Used())
        {
            link.Send(PeerMessage.Used(key, use));
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
                _settled.TrySetResult();
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "Calls as a peer without the key of 'Gateway:Peers' were refused: {Count} since the last such line, the latest from {Address}.")]
    private partial void LogStranger(int count, IPAddress? address);

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
