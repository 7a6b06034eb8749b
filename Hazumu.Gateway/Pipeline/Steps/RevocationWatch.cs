using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Steps;

/// <summary>Ends a request when its key is revoked or expires: one that waits at once, one that runs unless it may finish.</summary>
internal sealed class RevocationWatch : IDisposable
{
    private readonly KeyRevocation _revocation;
    private readonly GatewayRequest _request;
    private readonly HttpContext _context;
    private readonly CancellationToken _client;
    private readonly CancellationTokenSource _end;
    private readonly CancellationTokenRegistration _registration;
    private volatile bool _hasEnded;

    private RevocationWatch(KeyRevocation revocation, GatewayRequest request, HttpContext context)
    {
        _revocation = revocation;
        _request = request;
        _context = context;
        _client = context.RequestAborted;
        _end = CancellationTokenSource.CreateLinkedTokenSource(_client);

        // This token ends all waiting, reading and forwarding for this request, as if the client had disconnected.
        context.RequestAborted = _end.Token;
        _registration = revocation.Token.UnsafeRegister(static watch => ((RevocationWatch)watch!).End(), this);
    }

    /// <summary>Whether it has ended the request.</summary>
    public bool HasEnded => _hasEnded;

    /// <summary>How the request ends then.</summary>
    public Completion Completion => Authenticate.Unauthorized(_context, $"The key '{_request.Caller.Name}' has been revoked or has expired.");

    /// <summary>Watches a request until disposed; <see langword="null"/> if it has no key.</summary>
    public static RevocationWatch? Begin(HttpContext context, GatewayRequest request) =>
        request.Caller.Revocation is { } revocation ? new(revocation, request, context) : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        _registration.Dispose();
        _context.RequestAborted = _client;
        _end.Dispose();
    }

    private void End()
    {
        var isRunning = _request.Sent != 0;
        if (!_client.IsCancellationRequested && !(isRunning && _revocation.LetsRunningFinish))
        {
            _hasEnded = true;
            _end.Cancel();
        }
    }
}
