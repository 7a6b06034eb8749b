namespace Hazumu.Gateway.Pipeline.Requests;

/// <summary>How a request ended.</summary>
internal enum Outcome
{
    /// <summary>Answered whole, with a status below 400.</summary>
    Success,

    /// <summary>The engine refused it: a status from 400 to 499, or 501.</summary>
    EngineRefused,

    /// <summary>The engine failed: another status from 500 on.</summary>
    EngineError,

    /// <summary>An error inside a stream that began with 200.</summary>
    StreamError,

    /// <summary>The stream ended, or broke, without its closing object.</summary>
    StreamTruncated,

    /// <summary>The engine fell silent in mid-stream and was cut off.</summary>
    StreamStalled,

    /// <summary>The engine did not answer in time.</summary>
    EngineTimeout,

    /// <summary>No instance could be reached, or none is left to try.</summary>
    EngineUnreachable,

    /// <summary>The client went away.</summary>
    ClientDisconnect,

    /// <summary>The request is malformed.</summary>
    BadRequest,

    /// <summary>The key is missing or wrong.</summary>
    Unauthorized,

    /// <summary>The key may not do this, or not with this model.</summary>
    Forbidden,

    /// <summary>A limit of the key's is reached.</summary>
    RateLimited,

    /// <summary>The queue is full.</summary>
    QueueFull,

    /// <summary>It waited in the queue past its deadline.</summary>
    QueueTimeout,

    /// <summary>The gateway is stopping.</summary>
    ShuttingDown,

    /// <summary>The gateway itself failed: a bug.</summary>
    GatewayError,
}
