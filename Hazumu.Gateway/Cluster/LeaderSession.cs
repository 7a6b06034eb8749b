using System.Collections.Concurrent;
using Grpc.Core;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Cluster;

/// <summary>The connection of one gateway, at the leader that admits for it. Grpc.AspNetCore creates one for each.</summary>
[BindServiceMethod(typeof(ClusterContract), nameof(ClusterContract.Bind))]
internal class LeaderSession(Leadership leadership) : StreamEnd
{
    // Not disposed: each may be cancelled at any moment, and holds nothing but memory.
    private readonly ConcurrentDictionary<long, CancellationTokenSource> _questions = new();

    /// <summary>Later sessions have higher numbers.</summary>
    public long Number { get; } = leadership.NewNumber();

    /// <summary>Serves the gateway until either side ends. Virtual, because Grpc.AspNetCore finds no other methods.</summary>
    public virtual async Task Join(IAsyncStreamReader<IReadOnlyList<ClusterMessage>> requests, IServerStreamWriter<IReadOnlyList<ClusterMessage>> responses, ServerCallContext context)
    {
        if (!leadership.Accepts(context.RequestHeaders.GetValue(LeaderLink.TokenHeader), context.Peer) || !leadership.Cluster.IsLeader)
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, "The token is not this gateway's, or it does not lead."));
        }

        await context.WriteResponseHeadersAsync([]);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        leadership.Add(this);
        Task[] both = [ReadAsync(requests, end.Token), WriteToAsync(responses, end.Token)];
        if (!leadership.Cluster.IsLeader)
        {
            Close();
        }

        await Task.WhenAny(both);
        HasEnded = true;
        Close();
        await end.CancelAsync();
        foreach (var question in _questions.Values)
        {
            await question.CancelAsync();
        }

        _ = leadership.RemoveAsync(this);

        // How a connection broke is of no interest here; the other gateway logs that it did.
        await Task.WhenAll(both).ContinueWith(static both => both.Exception, TaskScheduler.Default);
    }

    private async Task ReadAsync(IAsyncStreamReader<IReadOnlyList<ClusterMessage>> requests, CancellationToken cancellationToken)
    {
        while (await requests.MoveNext(cancellationToken))
        {
            foreach (var message in requests.Current)
            {
                Receive(message);
            }
        }
    }

    private void Receive(ClusterMessage message)
    {
        switch (message.Kind)
        {
            case MessageKind.Ask:
                _ = AnswerAsync(message);
                break;
            case MessageKind.Withdraw:
                _ = _questions.GetValueOrDefault(message.Id)?.CancelAsync();
                break;
            case MessageKind.Hold:
                Adopt(message);
                break;
            case MessageKind.FirstByte:
                leadership.TryClaim(message.Id, this, out var begun);
                begun?.OnFirstByte();
                break;
            case MessageKind.Release:
                if (leadership.Take(message.Id).Lease is { } lease)
                {
                    (lease.LoadSeconds, lease.Unloads) = (message.LoadSeconds, message.Unloads);
                    lease.Release(message.End);
                }

                break;
            case MessageKind.Count:
                _ = CountAsync(message);
                break;
            case MessageKind.Running:
                Keep(message.Id, new RequestCount(leadership.Limits, CallerOf(message), leadership.Limits.Adopt(message.Key!.ToKey())));
                break;
            case MessageKind.Complete:
                leadership.Take(message.Id).Count?.Complete(message.Tokens);
                break;
            case MessageKind.Used:
                leadership.Limits.Learn(message.Key!.ToKey(), message.Use);
                break;
        }
    }

    private static Caller CallerOf(ClusterMessage message) => new(message.Key!.Name, message.Key.ToKey());

    private async Task AnswerAsync(ClusterMessage ask)
    {
        var gone = _questions[ask.Id] = new CancellationTokenSource();
        try
        {
            // After a broken connection the slot may have been granted already.
            if (leadership.TryClaim(ask.Id, this, out var granted))
            {
                Grant(ask.Id, granted!, null);
            }
            else if (!HasEnded)
            {
                await AcquireAsync(ask, gone.Token);
            }
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // The question was withdrawn.
        }
#pragma warning disable CA1031 // The client of the other gateway must not wait forever, and the log tells the rest.
        catch (Exception error)
#pragma warning restore CA1031
        {
            leadership.LogBug(error);
            Send(new(MessageKind.Refuse, ask.Id) { Status = AdmissionStatus.EngineUnreachable });
        }
        finally
        {
            _questions.TryRemove(ask.Id, out _);
        }
    }

    private async Task AcquireAsync(ClusterMessage ask, CancellationToken cancellationToken)
    {
        if (!(ask.Chain ?? [ask.Model!]).Any(leadership.Fleet.Knows))
        {
            // It may have been pulled through the other gateway.
            await leadership.Monitor.RefreshStoredAsync(cancellationToken);
        }

        var now = leadership.Fleet.Now;
        var ticket = new Ticket(ask.Model!, ask.Affinity, ask.KeyName!)
        {
            Chain = ask.Chain,
            QueueLongerThan = ask.QueueLongerThan,
            Priority = ask.Priority,
            IsShort = ask.IsShort,
            IsStreamed = ask.IsStreamed,
            WasAdmitted = ask.IsAgain,
        };
        (ticket.QueuedAt, ticket.Placed) = (Math.Max(0, now - ask.Waited), now);
        foreach (var instance in ask.Avoided ?? [])
        {
            ticket.Avoid(instance, now);
        }

        var admission = await leadership.Scheduler.AcquireAsync(ticket, cancellationToken);
        if (admission.Lease is { } lease)
        {
            // If the connection broke, the question came by two sessions, and the other one may have a slot for it already.
            var held = leadership.AddOrClaim(ask.Id, this, lease);
            if (held != lease)
            {
                lease.Release(LeaseEnd.Undecided);
            }

            if (held is not null)
            {
                Grant(ask.Id, held, held == lease ? ticket : null);
            }
        }
        else if (admission.Status is not (AdmissionStatus.Moved or AdmissionStatus.Cancelled))
        {
            Send(new(MessageKind.Refuse, ask.Id) { Status = admission.Status, RetryAfter = admission.RetryAfter.TotalSeconds });
        }
    }

    private void Grant(long id, Lease lease, Ticket? ticket) => Send(new(MessageKind.Grant, id)
    {
        Instance = lease.Instance.Name,
        Model = lease.Slots.Model,
        Fallback = ticket?.Fallback ?? FallbackReason.None,
        IsCold = lease.IsCold,
        Position = ticket?.Position ?? 0,
        HasWaited = ticket?.HasWaited ?? false,
    });

    private void Adopt(ClusterMessage hold)
    {
        // Of an instance that this gateway does not know, it grants no slot either.
        if (!leadership.TryClaim(hold.Id, this, out var lease) && leadership.Fleet.Find(hold.Instance) is { } instance)
        {
            lease = leadership.Scheduler.Adopt(instance, hold.Model!, hold.IsCold && !hold.HasAnswered);
            if (!leadership.TryAdd(hold.Id, this, lease))
            {
                lease.Release(LeaseEnd.Undecided);
            }
        }

        if (hold.HasAnswered)
        {
            lease?.OnFirstByte();
        }
    }

    private async Task CountAsync(ClusterMessage count)
    {
        try
        {
            // What gateways have counted before is known by then.
            await leadership.Cluster.Settled;
            var decision = default(LimitDecision);
            if (!leadership.TryClaim(count.Id, this, out _))
            {
                decision = await leadership.Cluster.Local.CountRequestAsync(CallerOf(count), CancellationToken.None);
                Keep(count.Id, decision.Count);
            }

            Send(new(MessageKind.Counted, count.Id) { Reached = decision.Reached, RetryAfter = decision.RetryAfter.TotalSeconds, Use = leadership.Limits.UseOf(count.Key!.ToKey()) });
        }
#pragma warning disable CA1031 // The client of the other gateway must not wait forever, and the log tells the rest.
        catch (Exception error)
#pragma warning restore CA1031
        {
            leadership.LogBug(error);
            Send(new(MessageKind.Counted, count.Id));
        }
    }

    private void Keep(long id, IRequestCount? count)
    {
        if (count is not null && !leadership.TryAdd(id, this, count: count))
        {
            // It is known already, or nobody is left to complete it.
            count.Complete(0);
            leadership.TryClaim(id, this, out _);
        }
    }
}
