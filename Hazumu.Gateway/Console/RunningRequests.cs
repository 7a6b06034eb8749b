using System.Collections.Concurrent;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Console;

/// <summary>The requests that run now. Stands in front of the recorder, so that a gateway without a console keeps no such list.</summary>
/// <param name="next">Records the requests.</param>
internal sealed class RunningRequests(IRequestRecorder next) : IRequestRecorder
{
    private readonly ConcurrentDictionary<GatewayRequest, byte> _running = new();
    private long _tokens;

    /// <summary>The requests that run a model, or wait for one.</summary>
    public IEnumerable<GatewayRequest> All => _running.Select(running => running.Key).Where(request => request.Operation.Handling == Handling.Infer);

    /// <summary>Tokens of answers that have ended, since the start.</summary>
    public long Tokens => Volatile.Read(ref _tokens);

    /// <inheritdoc/>
    public void Begin(GatewayRequest request)
    {
        _running[request] = 0;
        (request.Context?.Features.Get<IHttpResponseFeature>() as OwnExchange)?.OnBegun(request);
        next.Begin(request);
    }

    /// <inheritdoc/>
    public void Record(GatewayRequest request, HttpContext context)
    {
        lock (request)
        {
            _running.TryRemove(request, out _);
        }

        Interlocked.Add(ref _tokens, request.CountedOutputTokens);
        next.Record(request, context);
    }

    /// <summary>Closes the connection of a request, as if its client had gone away.</summary>
    /// <param name="request">The request.</param>
    /// <returns>Whether it still ran.</returns>
    public bool Cancel(GatewayRequest request)
    {
        // Until it is recorded, its context is its own; Kestrel gives it to the connection's next request then.
        lock (request)
        {
            var isRunning = _running.ContainsKey(request);
            if (isRunning)
            {
                request.Context?.Abort();
            }

            return isRunning;
        }
    }
}
