using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Instances;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Requests;

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
    private long _lastId;

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
    public string? Peer { get; private set; }

    /// <summary>When that gateway was started: ticks of UTC by its clock.</summary>
    public long Started { get; private set; }

    /// <summary>Whether it may be asked. A connection that has just broken is tried once more before this says no.</summary>
    public bool IsUp { get; private set; }

    /// <summary>Completes when it was tried for the first time.</summary>
    public Task Tried => _tried.Task;

    /// <summary>A number that no other request of this link has.</summary>
    public long NextId() => Interlocked.Increment(ref _lastId);

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
    public async ValueTask<Admission.Admission> AcquireAsync(Ticket ticket, CancellationToken cancellationToken)
    {
        var now = _scope.Fleet.Now;
        ticket.IsAgain = ticket.Asked >= 0;
        ticket.Asked = ticket.IsAgain ? ticket.Asked + now - ticket.Placed : now;
        var id = NextId();
        var answer = await AskAsync(
            new PeerMessage(PeerWord.Ask, id)
            {
                Model = ticket.Model,
                Affinity = ticket.Affinity,
                Key = ticket.Key,
                Waited = ticket.IsAgain ? now - ticket.Asked : null,
                Avoided = ticket.Avoided(now),
            },
            cancellationToken);
        if (answer is null)
        {
            return cancellationToken.IsCancellationRequested ? new(null, Outcome.ClientDisconnect) : Admission.Admission.Moved;
        }

        if (answer.Word == PeerWord.Refuse)
        {
            return new(null, answer.Outcome, TimeSpan.FromSeconds(answer.RetryAfter));
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
            return Admission.Admission.Moved;
        }

        var lease = _scope.Scheduler.Adopt(instance, ticket.Model, answer.IsCold);
        _peers.Keep(lease, this, id);
        return new(lease);
    }

    /// <summary>Has a request counted against the limits of its key.</summary>
    /// <returns>The peer's word; <see langword="null"/> where it is gone, or the client is.</returns>
    public async ValueTask<PeerMessage?> CountAsync(ApiKey key, CancellationToken cancellationToken) => await AskAsync(
        new PeerMessage(PeerWord.Count, NextId())
        {
            Key = key.Name,
            KeyId = key.Id,
            RequestsPerMinute = key.RequestsPerMinute,
            TokensPerMinute = key.TokensPerMinute,
            ConcurrentRequests = key.ConcurrentRequests,
        },
        cancellationToken);

    /// <summary>Answers whoever waits for one, in the peer's stead; with <see langword="null"/>, that they must ask elsewhere.</summary>
    public void AnswerAll(Func<PeerMessage, PeerMessage?> answer)
    {
        foreach (var (id, pending) in _pending)
        {
            if (_pending.TryRemove(id, out _))
            {
                pending.TrySetResult(answer(pending.Question));
            }
        }
    }

    /// <summary>Ends it.</summary>
    public void Dispose() => _stop.Cancel();

    private async ValueTask<PeerMessage?> AskAsync(PeerMessage question, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return null;
        }

        var pending = new Pending(this, question);
        lock (_lock)
        {
            if (!IsUp)
            {
                return null;
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
        var welcome = new TaskCompletionSource<PeerMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
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
            running = channel.RunAsync(message => Receive(message, welcome), stopping);
            if (await Task.WhenAny(welcome.Task, running, Task.Delay(s_connect, stopping)) != welcome.Task)
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

        var (peer, started) = (welcome.Task.Result.Peer, welcome.Task.Result.Started);
        if (peer == _peers.Id)
        {
            channel.Close();
            await running;
            Peer = peer;
            _tried.TrySetResult();
            await Task.Delay(Timeout.Infinite, stopping);
        }

        if (peer != Peer)
        {
            // Another gateway at the same address knows nothing of what the one before did.
            SetDown();
            (Peer, Started) = (peer, started);
        }

        if (IsUp)
        {
            Resume(channel);
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

    // The peer is the same and has forgotten all: it is told what is held, and asked again what it has not answered.
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

    private void Receive(PeerMessage message, TaskCompletionSource<PeerMessage> welcome)
    {
        switch (message.Word)
        {
            case PeerWord.Welcome:
                welcome.TrySetResult(message);
                break;
            case PeerWord.Grant or PeerWord.Refuse or PeerWord.Counted:
                if (_pending.TryRemove(message.Id, out var pending))
                {
                    pending.TrySetResult(message);
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
    private sealed class Pending(PeerLink link, PeerMessage question) : TaskCompletionSource<PeerMessage?>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public PeerMessage Question { get; } = question;

        /// <summary>The client has gone.</summary>
        public void Leave()
        {
            if (link._pending.TryRemove(Question.Id, out _))
            {
                link.Send(new(PeerWord.Leave, Question.Id));
                TrySetResult(null);
            }
        }
    }
}

/// <summary>What peers work with.</summary>
internal sealed record PeerScope(PeerOptions Options, string? Authorities, Fleet Fleet, FleetMonitor Monitor, Scheduler Scheduler, KeyLimits Limits);
