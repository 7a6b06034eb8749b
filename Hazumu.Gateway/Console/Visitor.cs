using System.Net;
using System.Text.Json;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.AspNetCore.Components.Authorization;

namespace Hazumu.Gateway.Console;

/// <summary>Whoever looks at the console: checks that the key is still valid and has the scope of an action, and logs the action.</summary>
internal sealed partial class Visitor(
    AuthenticationStateProvider authentication, Sessions sessions, OwnRequests requests, RunningRequests running, ILogger<Visitor> logger)
{
    /// <summary>The caller; <see langword="null"/> if the session has ended.</summary>
    public async ValueTask<Caller?> FindAsync() => sessions.Find((await authentication.GetAuthenticationStateAsync()).User);

    /// <summary>Begins an action that needs the scope <c>admin</c>.</summary>
    /// <param name="action">What is done, for the log: "revokes the key 'bob'".</param>
    /// <returns>Whether it is allowed.</returns>
    public async ValueTask<bool> TryBeginAsync(string action)
    {
        var caller = await FindAsync();
        var isAllowed = caller?.Has(Scope.Admin) == true;
        if (isAllowed)
        {
            LogAction(caller!.Name, await AddressAsync(), action);
        }

        return isAllowed;
    }

    /// <summary>Sends a request through the gateway's own pipeline, which checks its scope and logs it.</summary>
    /// <param name="action">What is done, for the log; <see langword="null"/> if the access log says enough.</param>
    /// <param name="request">The request.</param>
    /// <param name="onBegun">Gets what the gateway knows of the request while it runs.</param>
    /// <param name="onLine">Gets each object of the answer as it comes.</param>
    /// <param name="cancellationToken">Ends it, as a client does that goes away.</param>
    /// <returns>How it ended; <see langword="null"/> if the session has ended.</returns>
    public async Task<OwnAnswer?> SendAsync(
        string? action, OwnRequest request, Action<GatewayRequest>? onBegun, Func<JsonElement, Task> onLine, CancellationToken cancellationToken)
    {
        if (await FindAsync() is not { } caller)
        {
            return null;
        }

        var address = await AddressAsync();
        if (action is not null)
        {
            LogAction(caller.Name, address, action);
        }

        return await requests.SendAsync(caller, address, request, onBegun, onLine, cancellationToken);
    }

    /// <summary>Begins to pull a model.</summary>
    /// <returns>Whether the session has not ended.</returns>
    public async ValueTask<bool> PullAsync(Pulls pulls, string model, string? engine)
    {
        if (await FindAsync() is not { } caller)
        {
            return false;
        }

        var address = await AddressAsync();
        LogAction(caller.Name, address, $"pulls the model '{model}' to {(engine is null ? "an engine of the gateway's choice" : $"'{engine}'")}");
        pulls.Begin(caller, address, model, engine);
        return true;
    }

    /// <summary>Cancels a request that runs or waits.</summary>
    /// <returns>Whether it still ran, and the session has not ended.</returns>
    public async ValueTask<bool> CancelAsync(GatewayRequest request) =>
        await TryBeginAsync($"cancels the request '{request.Id}' of '{request.Caller.Name}'") && running.Cancel(request);

    private async ValueTask<IPAddress?> AddressAsync() => Sessions.AddressOf((await authentication.GetAuthenticationStateAsync()).User);

    [LoggerMessage(Level = LogLevel.Information, Message = "Console: '{Key}' at {Address} {Action}.")]
    private partial void LogAction(string key, IPAddress? address, string action);
}
