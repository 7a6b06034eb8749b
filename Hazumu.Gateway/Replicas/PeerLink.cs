using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Replicas;

/// <summary>This gateway's connection to one of its peers, by which it asks for slots where that one admits for all. Made anew whenever it breaks.</summary>
internal sealed class PeerLink : IDisposable
{
    private static readonly TimeSpan s_again = TimeSpan.FromSeconds(1);

    // In a network of one's own; a peer that needs longer is no help.
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(1);

    private readonly Peers _peers;
    private readonly PeerScope _scope;
    private readonly Uri _url;
    private readonly HttpMessageInvoker _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<long, Pending> _pending = new();
    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile PeerChannel? _channel;
    private readonly Lock _lock = new();

    // Numbers are unlike those of all other links, whatever they lead to.
    private long _lastId = Random.Shared.NextInt64(long.MaxValue / 2);

    private volatile PeerStanding? _standing;

    public PeerLink(Peers peers, PeerScope scope, Uri url, IPAddress? address)
    {
        _peers = peers;
        _scope = scope;
        _url = new UriBuilder(url) { Scheme = url.Scheme == Uri.UriSchemeHttps ? "wss" : "ws", Path = Peers.Path }.Uri;
        Name = address is null ? url.Authority : $"{url.Host}@{address}:{url.Port}";
        _client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectTimeout = s_connect,
            ActivityHeadersPropagator = null,
            SslOptions = OwnAuthorities.Tls(scope.Authorities),
            ConnectCallback = (context, cancellationToken) => ConnectAsync(address, context.DnsEndPoint, cancellationToken),
        });
    }

    /// <summary>Its address, for the log.</summary>
    public string Name { get; }

    /// <summary>Who is there: an identity for each start of a gateway; <see langword="null"/> where nobody was reached yet.</summary>
    public string? Peer => _standing?.Peer;

    /// <summary>That gateway's place; <see langword="null"/> where it has none yet.</summary>
    public int? Place => _standing?.Place;

    /// <summary>How much longer than this gateway that one has run. Rather too little than too much: its word was under way for a while.</summary>
    public TimeSpan OlderBy => _standing?.OlderBy ?? default;

    /// <summary>Whether it may be asked. A connection that has just broken is tried once more before this says no.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Completes when it was tried for the first time.</summary>
    public Task Tried => _tried.Task;

    /// <summary>A number that no other request of this link has.</summary>
    public long NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>Whether this is the connection of now.</summary>
    public bool IsOn(PeerChannel? channel) => _channel == channel;

    /// <summary>Sends a message; lost where the connection is broken.</summary>
    public void Send(PeerMessage message) => _channel?.Send(message);

    /// <summary>Connects, and again whenever the connection breaks, until it is disposed.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stopping, _stop.Token);
        try
        {
            while (!stop.IsCancellationRequested)
            {
                if (!await TryConnectAsync(stop.Token))
                {
                    SetDown();
                    _tried.TrySetResult();
                    await Task.Delay(s_again, stop.Token);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Nobody needs it any longer.
        }
        finally
        {
            _tried.TrySetResult();
            SetDown();
            _client.Dispose();
        }
    }

    // A link that ended for a fault of ours would leave two gateways that both admit.
    private async Task<bool> TryConnectAsync(CancellationToken stopping)
    {
        try
        {
            return await ConnectAsync(stopping);
        }
        catch (Exception error) when (!stopping.IsCancellationRequested)
        {
            _peers.OnBug(error);
            return false;
        }
    }

    /// <summary>Asks for a slot.</summary>
    /// <returns>A slot or why there is none, as <see cref="Scheduler.AcquireAsync"/>; moved where the peer is gone.</returns>
    public async ValueTask<SlotDecision> AcquireAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var now = _scope.Fleet.Now;
        ticket.IsAgain = ticket.Asked >= 0;
        ticket.Asked = ticket.IsAgain ? ticket.Asked + now - ticket.Placed : now;
        var id = NextId();
        var (answer, channel) = await AskAsync(
            new PeerMessage(PeerWord.Ask, id)
            {
                Model = ticket.Model,
                Affinity = ticket.Affinity,
                Key = ticket.Key,
                IsShort = ticket.IsShort,
                IsStreamed = ticket.IsStreamed,
                Waited = ticket.IsAgain ? now - ticket.Asked : null,
                Avoided = ticket.Avoided(now),
            },
            cancellationToken);
        if (answer is null)
        {
            return cancellationToken.IsCancellationRequested ? new(AdmissionStatus.Cancelled) : new(AdmissionStatus.Moved);
        }

        if (answer.Word == PeerWord.Refuse)
        {
            return new(answer.Status, TimeSpan.FromSeconds(answer.RetryAfter));
        }

        ticket.Position = Math.Max(ticket.Position, answer.Position);
        ticket.HasWaited |= answer.HasWaited;
        ticket.Placed = _scope.Fleet.Now;
        if (_scope.Fleet.Find(answer.Instance) is not { } instance)
        {
            // The peer knows an instance that this gateway has yet to find.
            Send(new(PeerWord.Free, id) { End = LeaseEnd.Undecided });
            ticket.Avoid(answer.Instance ?? "", ticket.Placed);
            _scope.Monitor.Refresh();
            return new(AdmissionStatus.Moved);
        }

        var lease = _scope.Scheduler.Adopt(instance, ticket.Model, answer.IsCold);
        _peers.Keep(lease, this, id, channel);
        return new(lease);
    }

    /// <summary>Has a request counted against the limits of its key.</summary>
    /// <returns>That it is counted, or the limit that is reached; <see langword="null"/> where the peer is gone, or the client is.</returns>
    public async ValueTask<LimitDecision?> CountAsync(Caller caller, CancellationToken cancellationToken)
    {
        var key = caller.Key!;
        var id = NextId();
        var (answer, channel) = await AskAsync(PeerMessage.Count(key, id), cancellationToken);
        if (answer is null)
        {
            return null;
        }

        _scope.Limits.Learn(key, answer.Use);
        return answer.Reached == ReachedLimit.None
            ? new(ReachedLimit.None, Count: _peers.Keep(caller, _scope.Limits.Adopt(key), this, id, channel))
            : new(answer.Reached, TimeSpan.FromSeconds(answer.RetryAfter));
    }

    /// <summary>Answers whoever waits for one, in the peer's stead; with <see langword="null"/>, that they must ask elsewhere.</summary>
    public void AnswerAll(Func<PeerMessage, PeerMessage?> answer)
    {
        foreach (var (id, pending) in _pending)
        {
            if (_pending.TryRemove(id, out _))
            {
                pending.TrySetResult((answer(pending.Question), null));
            }
        }
    }

    /// <summary>Ends it.</summary>
    public void Dispose() => _stop.Cancel();

    private async ValueTask<(PeerMessage? Answer, PeerChannel? Channel)> AskAsync(PeerMessage question, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return default;
        }

        var pending = new Pending(this, question);
        lock (_lock)
        {
            if (!IsUp)
            {
                return default;
            }

            _pending[question.Id] = pending;
            Send(question);
        }

        var registration = cancellationToken.UnsafeRegister(static pending => ((Pending)pending!).Leave(), pending);
        try
        {
            return await pending.Task;
        }
        finally
        {
            registration.Unregister();
        }
    }

    // Whether somebody was there.
    private async Task<bool> ConnectAsync(CancellationToken stopping)
    {
        using var socket = new ClientWebSocket();
        var greeting = new Greeting();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        PeerChannel channel;
        Task running;
        try
        {
            socket.Options.SetRequestHeader("Authorization", PeerKey.HeaderOf(PeerKey.Read(_scope.Options)));
            socket.Options.CollectHttpResponseDetails = true;
            socket.Options.KeepAliveInterval = PeerChannel.KeepAlive;
            socket.Options.KeepAliveTimeout = PeerChannel.Patience;
            limit.CancelAfter(s_connect);
            await socket.ConnectAsync(_url, _client, limit.Token);
            channel = new PeerChannel(socket);
            running = channel.RunAsync(message => Receive(message, channel, greeting), stopping);
            if (await Task.WhenAny(greeting.Task, running, Task.Delay(s_connect, stopping)) != greeting.Task)
            {
                channel.Cut();
                await running;
                return false;
            }
        }
        catch (Exception error) when (error is WebSocketException or IOException or HttpRequestException or StartupProblemException
            || (error is OperationCanceledException && !stopping.IsCancellationRequested))
        {
            _peers.OnUnreachable(this, error is WebSocketException { InnerException: { } inner } ? inner.Message : error.Message, socket.HttpStatusCode == HttpStatusCode.Unauthorized);
            return false;
        }

        var peer = greeting.Said!.Peer;
        if (peer == _peers.Id)
        {
            channel.Close();
            await running;
            _standing = greeting.Said;
            _tried.TrySetResult();
            await Task.Delay(Timeout.Infinite, stopping);
        }

        if (peer != Peer)
        {
            // Another gateway at the same address knows nothing of what the one before did.
            SetDown();
        }

        lock (_lock)
        {
            greeting.IsHeard = true;
            _standing = greeting.Said;
        }

        if (IsUp)
        {
            Resume(channel);
            _peers.OnPlaced();
        }
        else
        {
            _channel = channel;
            IsUp = true;
            _peers.OnChanged(this);
        }

        _tried.TrySetResult();
        var began = Stopwatch.GetTimestamp();
        await running;
        _channel = null;

        // One that breaks again at once is no connection.
        return !channel.HasSaidGoodbye && Stopwatch.GetElapsedTime(began) > s_again;
    }

    // The peer is the same and may have missed or forgotten what was told: it is told what is held, and asked again what it has not answered.
    private void Resume(PeerChannel channel)
    {
        lock (_lock)
        {
            _channel = channel;
            _peers.TellAgain(this);
            foreach (var pending in _pending.Values)
            {
                channel.Send(pending.Question);
            }
        }
    }

    private void SetDown()
    {
        lock (_lock)
        {
            if (!IsUp)
            {
                return;
            }

            IsUp = false;
        }

        _peers.OnChanged(this);
        AnswerAll(_ => null);
    }

    private void Receive(PeerMessage message, PeerChannel channel, Greeting greeting)
    {
        switch (message.Word)
        {
            case PeerWord.Welcome:
                OnWelcome(new(message.Peer, message.Place, TimeSpan.FromMilliseconds(message.Age) - _peers.Age), greeting);
                break;
            case PeerWord.Grant or PeerWord.Refuse or PeerWord.Counted:
                if (_pending.TryRemove(message.Id, out var pending))
                {
                    pending.TrySetResult((message, channel));
                }
                else if (message.Word == PeerWord.Grant)
                {
                    // Too late: the client has gone.
                    Send(new(PeerWord.Free, message.Id) { End = LeaseEnd.Undecided });
                }
                else if (message.Word == PeerWord.Counted)
                {
                    Send(new(PeerWord.Over, message.Id));
                }

                break;
        }
    }

    private void OnWelcome(PeerStanding standing, Greeting greeting)
    {
        lock (_lock)
        {
            greeting.Said = standing;
            if (!greeting.IsHeard)
            {
                greeting.TrySetResult();
                return;
            }

            _standing = standing;
        }

        _peers.OnPlaced();
    }

    private static async ValueTask<Stream> ConnectAsync(IPAddress? address, DnsEndPoint name, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await (address is null ? socket.ConnectAsync(name, cancellationToken) : socket.ConnectAsync(new IPEndPoint(address, name.Port), cancellationToken));
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A question without an answer yet.</summary>
    private sealed class Pending(PeerLink link, PeerMessage question)
        : TaskCompletionSource<(PeerMessage? Answer, PeerChannel? Channel)>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public PeerMessage Question { get; } = question;

        /// <summary>The client has gone.</summary>
        public void Leave()
        {
            if (link._pending.TryRemove(Question.Id, out _))
            {
                link.Send(new(PeerWord.Leave, Question.Id));
                TrySetResult(default);
            }
        }
    }

    /// <summary>What who was called says of itself over one connection.</summary>
    private sealed class Greeting() : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public PeerStanding? Said { get; set; }

        public bool IsHeard { get; set; }
    }

    private sealed record PeerStanding(string? Peer, int? Place, TimeSpan OlderBy);
}

/// <summary>What peers work with.</summary>
internal sealed record PeerScope(PeerOptions Options, string? Authorities, Fleet Fleet, FleetMonitor Monitor, Scheduler Scheduler, KeyLimits Limits);
