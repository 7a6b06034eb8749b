using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Console;

/// <summary>Pulls of models that the console has begun. They go on when the page that began them is closed.</summary>
internal sealed class Pulls(OwnRequests requests, ILogger<Pulls> logger)
{
    private readonly Lock _lock = new();
    private readonly List<Pull> _all = [];

    /// <summary>Those that run, and those that have failed and were not dismissed.</summary>
    public IReadOnlyList<Pull> All
    {
        get
        {
            lock (_lock)
            {
                return [.. _all];
            }
        }
    }

    /// <summary>Begins one.</summary>
    /// <param name="caller">Whose key it is for.</param>
    /// <param name="address">The address of the caller's browser.</param>
    /// <param name="model">The model.</param>
    /// <param name="engine">Where to; <see langword="null"/> if the gateway chooses.</param>
    public void Begin(Caller caller, IPAddress? address, string model, string? engine)
    {
        var pull = new Pull(model, engine);
        lock (_lock)
        {
            _all.Add(pull);
        }

        _ = RunAsync(pull, caller, address);
    }

    /// <summary>Cancels one that runs, and dismisses one that has ended.</summary>
    public void Remove(Pull pull)
    {
        pull.Cancel();
        lock (_lock)
        {
            _all.Remove(pull);
        }
    }

    private async Task RunAsync(Pull pull, Caller caller, IPAddress? address)
    {
        try
        {
            var request = new OwnRequest("POST", "/api/pull", new JsonObject { ["model"] = pull.Model, ["stream"] = true }, pull.Engine);
            var answer = await requests.SendAsync(caller, address, request, onBegun: null, pull.TakeAsync, pull.Cancelled);
            pull.End(answer.Problem);
        }
#pragma warning disable CA1031 // Nobody waits for this task: whatever it is, the page and the log show it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            logger.LogError(error, "A pull of the console failed.");
            pull.End(error.Message);
        }
    }
}

/// <summary>A pull of a model.</summary>
/// <param name="model">The model.</param>
/// <param name="engine">Where to; <see langword="null"/> if the gateway chooses.</param>
#pragma warning disable CA1001 // The source is never disposed: a late click may still cancel it, and it holds nothing but memory.
internal sealed class Pull(string model, string? engine)
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _cancel = new();

    /// <summary>The model.</summary>
    public string Model { get; } = model;

    /// <summary>Where to; <see langword="null"/> if the gateway chooses.</summary>
    public string? Engine { get; } = engine;

    /// <summary>What the engine does, in its own words.</summary>
    public string Status { get; private set; } = "";

    /// <summary>Bytes of the layer that is pulled.</summary>
    public long Total { get; private set; }

    /// <summary>Bytes of it that are here.</summary>
    public long Completed { get; private set; }

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Why it has failed; <see langword="null"/> if it has not.</summary>
    public string? Problem { get; private set; }

    /// <summary>Cancelled when it is.</summary>
    public CancellationToken Cancelled => _cancel.Token;

    /// <summary>Cancels it.</summary>
    public void Cancel() => _cancel.Cancel();

    /// <summary>Takes in a line of progress.</summary>
    public Task TakeAsync(JsonElement line)
    {
        Status = EngineApi.Text(line, "status") ?? Status;
        (Total, Completed) = (EngineApi.Number(line, "total") ?? 0, EngineApi.Number(line, "completed") ?? 0);
        return Task.CompletedTask;
    }

    /// <summary>It has ended.</summary>
    public void End(string? problem) => (HasEnded, Problem) = (true, problem);
}
