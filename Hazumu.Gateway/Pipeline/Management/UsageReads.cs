using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Usage;

namespace Hazumu.Gateway.Pipeline.Management;

/// <summary>Answers <c>GET /hazumu/usage</c> from the store of usage, as JSON or, with <c>format=csv</c>, as CSV.</summary>
internal sealed class UsageReads(UsageStore store, TimeProvider time)
{
    private const string Format = "format";

    /// <summary>Handles a request.</summary>
    public async ValueTask<Completion> HandleAsync(HttpContext context)
    {
        if (!store.IsEnabled)
        {
            return new GatewayRefusal(Outcome.BadRequest, StatusCodes.Status404NotFound, "Usage is not recorded; ask the gateway's operator to set 'Gateway:Usage:File' or 'Gateway:Usage:Database'.");
        }

        var parameters = context.Request.Query.ToDictionary(parameter => parameter.Key, parameter => parameter.Value.ToString());
        if (!parameters.Remove(Format, out var format))
        {
            format = "json";
        }

        if (format is not ("json" or "csv"))
        {
            return GatewayRefusal.BadRequest($"'{Format}' is '{format}'; allowed: json, csv.");
        }

        try
        {
            var report = await store.ReadAsync(UsageQuery.Parse(parameters, store.Calendar, time.GetUtcNow()), context.RequestAborted);
            var body = format == "csv" ? System.Text.Encoding.UTF8.GetBytes(UsageFormat.ToCsv(report)) : UsageFormat.ToJson(report);
            context.Response.ContentType = format == "csv" ? "text/csv; charset=utf-8" : "application/json; charset=utf-8";
            context.Response.Headers.CacheControl = "no-store";
            if (report.IsTruncated)
            {
                context.Response.Headers["Hazumu-Truncated"] = "true";
            }

            context.Response.ContentLength = body.Length;
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
            return Completion.Success;
        }
        catch (UsageQueryException problem)
        {
            return GatewayRefusal.BadRequest(problem.Message);
        }
        catch (Exception problem) when (UsageStore.IsOutage(problem) && !context.Response.HasStarted)
        {
            return new GatewayRefusal(Outcome.GatewayError, StatusCodes.Status503ServiceUnavailable, "Usage cannot be read now; the gateway's log and the metric hazumu_gateway_usage_up have more details.", TimeSpan.FromSeconds(5));
        }
    }
}
