using System.Diagnostics;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Telemetry;

/// <inheritdoc cref="IRequestRecorder"/>
/// <remarks>No request fails because it could not be measured.</remarks>
internal sealed class RequestRecorder(GatewayMetrics metrics, RequestTrace trace, AccessLog log, ILogger<RequestRecorder> logger, UsageRecording? usage = null) : IRequestRecorder
{
    private int _hasFailed;

    /// <inheritdoc/>
    public void Begin(GatewayRequest request) => metrics.Begin(request);

    /// <inheritdoc/>
    public void Record(GatewayRequest request, HttpContext context)
    {
        if (request.Ended == 0)
        {
            request.Ended = request.Clock.GetTimestamp();
        }

        metrics.End(request);
        try
        {
            var phases = RequestPhases.Of(request);
            var server = context.Features.Get<IHttpActivityFeature>()?.Activity ?? Activity.Current;
            usage?.Record(request, in phases);
            log.Record(request, in phases, context, server);
            trace.Record(request, in phases, server);
            metrics.Record(request, in phases);
            metrics.CountRefusal(request, context.Connection.RemoteIpAddress);
        }
#pragma warning disable CA1031 // Whatever it is, the request has nothing to do with it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogOnce(error);
        }
    }

    // One line reports the bug; further lines would add nothing.
    private void LogOnce(Exception error)
    {
        if (Interlocked.Exchange(ref _hasFailed, 1) == 0)
        {
            logger.LogError(error, "A request could not be measured or logged. Further failures are not logged.");
        }
    }
}
