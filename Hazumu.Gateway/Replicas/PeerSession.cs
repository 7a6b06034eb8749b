using System.Collections.Concurrent;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Replicas;

/// <summary>A peer that asks here for slots, for its clients and for those that ask it.</summary>
internal sealed class PeerSession(Peers peers, PeerScope scope, PeerChannel channel)
{
    private readonly ConcurrentDictionary<long, CancellationTokenSource> _questions = new();
    private volatile bool _isOver;

    /// <summary>Answers until the peer is gone.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        peers.Greet(this);
        try
        {
            await channel.RunAsync(Receive, cancellationToken);
        }
        finally
        {
            // Whatever ended it: what the peer held is given back, unless it tells of it again.
            _isOver = true;
            foreach (var question in _questions.Values)
            {
                await question.CancelAsync();
            }

            _ = ReleaseAllAsync();
        }
    }

    /// <summary>Tells who this gateway is.</summary>
    public void Greet(PeerMessage welcome) => channel.Send(welcome);

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

        foreach (var lease in peers.Leases.TakeAllOf(this))
        {
            lease.Release(LeaseEnd.Undecided);
        }

        foreach (var counted in peers.Counts.TakeAllOf(this))
        {
            counted.Complete(0);
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
                if (peers.Leases.TryGet(message.Id, out var begun))
                {
                    begun.OnFirstByte();
                }

                break;
            case PeerWord.Free:
                if (peers.Leases.TryTake(message.Id, out var lease))
                {
                    lease.LoadSeconds = message.LoadSeconds;
                    lease.Unloads = message.Unloads;
                    lease.Release(message.End);
                }

                break;
            case PeerWord.Over:
                if (peers.Counts.TryTake(message.Id, out var counted))
                {
                    counted.Complete(message.Tokens);
                }

                break;
            case PeerWord.Used:
                Use(message);
                break;
        }
    }

    private async Task AnswerAsync(PeerMessage ask)
    {
        // Never disposed: the peer may take the question back at any moment, and it holds nothing but memory.
        var gone = new CancellationTokenSource();
        if (GrantAgain(ask))
        {
            return;
        }

        _questions[ask.Id] = gone;
        try
        {
            if (!scope.Fleet.Knows(ask.Model!))
            {
                // It may have come through the peer.
                await scope.Monitor.RefreshStoredAsync(gone.Token);
            }

            var now = scope.Fleet.Now;
            var ticket = new Ticket(ask.Model!, ask.Affinity, ask.Key!) { IsShort = ask.IsShort, IsStreamed = ask.IsStreamed };
            if (ask.Waited is { } waited)
            {
                ticket.Asked = Math.Max(0, now - waited);
                ticket.Placed = now;
            }

            foreach (var instance in ask.Avoided ?? [])
            {
                ticket.Avoid(instance, now);
            }

            Answer(ask, ticket, await peers.AcquireSlotAsync(ticket, gone.Token));
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
            channel.Send(new(PeerWord.Refuse, ask.Id) { Status = AdmissionStatus.EngineUnreachable });
        }
        finally
        {
            _questions.TryRemove(ask.Id, out _);
        }
    }

    private void Answer(PeerMessage ask, Ticket ticket, SlotDecision admission)
    {
        if (admission.Lease is { } lease)
        {
            peers.Keep(lease).IsPeers = true;
            if (_isOver || !peers.Leases.TryAdd(ask.Id, lease, this))
            {
                // The connection has broken meanwhile, and the question was asked again over the next.
                lease.Release(LeaseEnd.Undecided);
                GrantAgain(ask);
                return;
            }

            Grant(ask, lease, ticket);
            if (_isOver)
            {
                _ = ReleaseAllAsync();
            }
        }
        else if (admission.Status != AdmissionStatus.Cancelled)
        {
            channel.Send(new(PeerWord.Refuse, ask.Id) { Status = admission.Status, RetryAfter = admission.RetryAfter.TotalSeconds });
        }
    }

    private void Grant(PeerMessage ask, Lease lease, Ticket? ticket) => channel.Send(new(PeerWord.Grant, ask.Id)
    {
        Instance = lease.Instance.Name,
        IsCold = lease.IsCold,
        Position = ticket?.Position ?? 0,
        HasWaited = ticket?.HasWaited ?? false,
    });

    private bool GrantAgain(PeerMessage ask)
    {
        if (_isOver || !peers.Leases.TryClaim(ask.Id, this, out var lease))
        {
            return false;
        }

        Grant(ask, lease, null);
        return true;
    }

    private void Hold(PeerMessage hold)
    {
        if (!peers.Leases.TryClaim(hold.Id, this, out var lease))
        {
            if (scope.Fleet.Find(hold.Instance) is not { } instance)
            {
                // This gateway does not know it and gives no slot of it.
                return;
            }

            lease = scope.Scheduler.Adopt(instance, hold.Model!, hold.IsCold && !hold.HasAnswered);
            peers.Keep(lease).IsPeers = true;
            if (!peers.Leases.TryAdd(hold.Id, lease, this))
            {
                lease.Release(LeaseEnd.Undecided);
                return;
            }
        }

        if (hold.HasAnswered)
        {
            lease.OnFirstByte();
        }
    }

    private async Task CountAsync(PeerMessage count)
    {
        var key = count.ToKey();
        var counted = default(LimitDecision);
        if (!peers.Counts.TryClaim(count.Id, this, out _))
        {
            counted = await peers.CountRequestAsync(new Caller(key.Name, key), CancellationToken.None);
            if (counted.Count is HeldCount held)
            {
                Keep(held, count.Id);
            }
        }

        channel.Send(new(PeerWord.Counted, count.Id) { Reached = counted.Reached, RetryAfter = counted.RetryAfter.TotalSeconds, Use = scope.Limits.UseOf(key) });
    }

    private void Use(PeerMessage used)
    {
        var key = used.ToKey();
        scope.Limits.Learn(key, used.Use);
        if (used.Id == 0)
        {
            peers.TellUse(key);
        }
        else if (!peers.Counts.TryClaim(used.Id, this, out _))
        {
            Keep(peers.Keep(new Caller(key.Name, key), scope.Limits.Adopt(key)), used.Id);
        }
    }

    private void Keep(HeldCount held, long id)
    {
        held.IsPeers = true;
        if (!peers.Counts.TryAdd(id, held, this))
        {
            held.Complete(0);
        }
        else if (_isOver)
        {
            _ = ReleaseAllAsync();
        }
    }
}
