using Microsoft.AspNetCore.Http;

namespace Hazumu.Mocks;

/// <summary>One request and its answer.</summary>
internal sealed class Exchange(HttpContext context, MockRequest request, MockAnswer answer, MockEngineOptions options)
{
    public HttpContext Context { get; } = context;

    public MockRequest Request { get; } = request;

    public MockAnswer Answer { get; } = answer;

    /// <summary>The options at its arrival.</summary>
    public MockEngineOptions Options { get; } = options;

    /// <summary>Canceled when the client has gone away.</summary>
    public CancellationToken Aborted => Context.RequestAborted;

    /// <summary>Whether all of the answer is on its way: who goes away now, goes content.</summary>
    public bool IsComplete { get; set; }

    /// <summary>Whether a fault has ended it.</summary>
    public bool IsBroken { get; set; }

    /// <summary>Ends it with a reset.</summary>
    public void Break()
    {
        IsBroken = true;
        Answer.Reset();
    }

    public Task DocumentAsync(int status, ReadOnlyMemory<byte> body, string contentType = "application/json; charset=utf-8")
    {
        IsComplete = true;
        return Answer.DocumentAsync(status, body, contentType);
    }

    public Task DocumentAsync(int status, string body, string contentType = "application/json; charset=utf-8")
    {
        IsComplete = true;
        return Answer.DocumentAsync(status, body, contentType);
    }

    public Task ErrorAsync(int status, string message)
    {
        IsComplete = true;
        return Answer.ErrorAsync(status, message);
    }
}
