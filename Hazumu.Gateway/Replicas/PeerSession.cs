using System.Collections.Concurrent;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Operations;
using Hazumu.Gateway.Requests;

namespace Hazumu.Gateway.Replicas;

/// <summary>A peer that asks here for slots, for its clients and for those that ask it.</summary>
internal sealed class PeerSession(Peers peers, PeerScope scope, PeerChannel channel)
{
    private readonly ConcurrentDictionary<long, CancellationTokenSource> _questions = new();
    private readonly ConcurrentDictionary<long, Lease> _leases = new();
    private readonly ConcurrentDictionary<long, (CountedRequest Counted, Caller Caller)> _counted = new();
    private volatile bool _isOver;

    /// <summary>Answers until the peer is gone.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        channel.Send(new(PeerWord.Welcome) { Peer = peers.Id, Started = peers.Started });
        try
        {
            await channel.RunAsync(Receive, cancellationToken);
        }
        finally
        {
            // Whatever ended it: what the peer held is given back.
            _isOver = true;
            foreach (var question in _questions.Values)
            {
                await question.CancelAsync();
            }

            foreach (var id in _counted.Keys)
            {
                End(id, 0);
            }

            _ = ReleaseAllAsync();
        }
    }

    /// <summary>Breaks the connection off.</summary>
    public void Cut() => channel.Cut();

    /// <summary>Says goodbye: this gateway stops.</summary>
    public void Close() => channel.Close();

    // The engines learn of a gateway's death when we do, and need a moment to let go. One that lives tells who admits now of what it holds.
    private async Task ReleaseAllAsync()
    {
        if (!peers.IsLeaving)
        {
            await Task.Delay(Peers.Settling);
        }

        foreach (var id in _leases.Keys)
        {
            if (_leases.TryRemove(id, out var lease))
            {
                lease.Release(LeaseEnd.Undecided);
            }
        }
    }

    private void Receive(PeerMessage message)
    {
        switch (message.Word)
        {
            case PeerWord.Ask:
                _ = AnswerAsync(message);
                break;
            case PeerWord.Count:
                _ = CountAsync(message);
                break;
            case PeerWord.Leave:
                if (_questions.TryGetValue(message.Id, out var question))
                {
                    _ = question.CancelAsync();
                }

                break;
            case PeerWord.Hold:
                Hold(message);
                break;
            case PeerWord.Began:
                if (_leases.TryGetValue(message.Id, out var begun))
                {
                    begun.OnFirstByte();
                }

                break;
            case PeerWord.Free:
                if (_leases.TryRemove(message.Id, out var lease))
                {
                    lease.LoadSeconds = message.LoadSeconds;
                    lease.Unloads = message.Unloads;
                    lease.Release(message.End);
                }

                break;
            case PeerWord.Over:
                End(message.Id, message.Tokens);
                break;
        }
    }

    private async Task AnswerAsync(PeerMessage ask)
    {
        // Never disposed: the peer may take the question back at any moment, and it holds nothing but memory.
        var gone = new CancellationTokenSource();
        _questions[ask.Id] = gone;
        try
        {
            if (!scope.Fleet.Knows(ask.Model!))
            {
                // It may have come through the peer.
                await scope.Monitor.RefreshStoredAsync(gone.Token);
            }

            var now = scope.Fleet.Now;
            var ticket = new Ticket(ask.Model!, ask.Affinity, ask.Key!);
            if (ask.Waited is { } waited)
            {
                ticket.Asked = Math.Max(0, now - waited);
                ticket.Placed = now;
            }

            foreach (var instance in ask.Avoided ?? [])
            {
                ticket.Avoid(instance, now);
            }

            Answer(ask, ticket, await peers.AcquireAsync(ticket, gone.Token));
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // Nobody waits for the answer.
        }
#pragma warning disable CA1031 // Whatever it is, the peer's client must not wait for ever, and the log tells the rest.
        catch (Exception error)
#pragma warning restore CA1031
        {
            peers.OnBug(error);
            channel.Send(new(PeerWord.Refuse, ask.Id) { Outcome = Outcome.GatewayError });
        }
        finally
        {
            _questions.TryRemove(ask.Id, out _);
        }
    }

    private void Answer(PeerMessage ask, Ticket ticket, Admission.Admission admission)
    {
        if (admission.Lease is { } lease)
        {
            lease.Held!.IsPeers = true;
            _leases[ask.Id] = lease;
            channel.Send(new(PeerWord.Grant, ask.Id) { Instance = lease.Instance.Name, IsCold = lease.IsCold, Position = ticket.Position, HasWaited = ticket.HasWaited });
            if (_isOver && _leases.TryRemove(ask.Id, out _))
            {
                lease.Release(LeaseEnd.Undecided);
            }
        }
        else if (admission.Refusal != Outcome.ClientDisconnect)
        {
            channel.Send(new(PeerWord.Refuse, ask.Id) { Outcome = admission.Refusal, RetryAfter = admission.RetryAfter.TotalSeconds });
        }
    }

    private void Hold(PeerMessage hold)
    {
        if (scope.Fleet.Find(hold.Instance) is not { } instance || _leases.ContainsKey(hold.Id))
        {
            // Told already, or an instance that this gateway does not know and gives no slot of.
            return;
        }

        var lease = scope.Scheduler.Adopt(instance, hold.Model!, hold.IsCold && !hold.HasAnswered);
        peers.Keep(lease);
        lease.Held!.IsPeers = true;
        if (hold.HasAnswered)
        {
            lease.OnFirstByte();
        }

        _leases[hold.Id] = lease;
    }

    private async Task CountAsync(PeerMessage count)
    {
        var key = new ApiKey
        {
            Id = count.KeyId!,
            Name = count.Key!,
            Hash = [],
            Scopes = Scope.None,
            Created = default,
            RequestsPerMinute = count.RequestsPerMinute,
            TokensPerMinute = count.TokensPerMinute,
            ConcurrentRequests = count.ConcurrentRequests,
        };
        var caller = new Caller(key.Name, key);
        var counted = await peers.CountAsync(caller, CancellationToken.None);
        _counted[count.Id] = (counted, caller);
        channel.Send(new(PeerWord.Counted, count.Id) { Reached = counted.Reached, RetryAfter = counted.RetryAfter.TotalSeconds });
        if (_isOver || counted.Reached != ReachedLimit.None)
        {
            End(count.Id, 0);
        }
    }

    private void End(long id, long tokens)
    {
        if (_counted.TryRemove(id, out var entry))
        {
            peers.Over(entry.Counted, entry.Caller, tokens);
        }
    }
}

/// <summary>A request that was counted against its key's limits, here or at a peer; or the limit that is reached.</summary>
/// <param name="Reached">The limit that is reached.</param>
/// <param name="RetryAfter">When asking again makes sense.</param>
/// <param name="Lease">What it holds here.</param>
/// <param name="Link">Where it is counted instead.</param>
/// <param name="Id">Its number there.</param>
internal readonly record struct CountedRequest(ReachedLimit Reached, TimeSpan RetryAfter, LimitLease Lease = default, PeerLink? Link = null, long Id = 0);
