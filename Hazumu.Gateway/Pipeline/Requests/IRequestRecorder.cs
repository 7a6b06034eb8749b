namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>Turns what is known of a request into metrics, a trace and a line of the access log. Never throws.</summary>
internal interface IRequestRecorder
{
    /// <summary>Counts a request as running. <see cref="Record"/> must follow, once.</summary>
    void Begin(GatewayRequest request);

    /// <summary>Records a request that has ended. Call it inside the server's pipeline, while the server's span still runs.</summary>
    void Record(GatewayRequest request, HttpContext context);
}
