using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hazumu.Mocks;

namespace Hazumu.Bench.Processes;

/// <summary>A mock engine that runs as a process of its own.</summary>
internal sealed class EngineProcess : IDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _client;

    private EngineProcess(ChildProcess process, int port)
    {
        _process = process;
        Port = port;
        _client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
    }

    public int Port { get; }

    public Uri Address => _client.BaseAddress!;

    public IPEndPoint EndPoint => new(IPAddress.Loopback, Port);

    public int Id => _process.Id;

    /// <param name="folder">Where its output goes.</param>
    /// <param name="options">Members of <see cref="MockEngineOptions"/>.</param>
    /// <param name="at">Its port; a free one unless given.</param>
    public static async Task<EngineProcess> StartAsync(string folder, object options, int? at = null)
    {
        var port = at ?? ChildProcess.FreePort();
        var json = JsonSerializer.SerializeToNode(options)!.AsObject();
        json["port"] = port;
        json["lean"] = true;
        var engine = new EngineProcess(ChildProcess.StartSelf("engine", folder, "engine", json.ToJsonString()), port);
        await Readiness.WaitAsync(engine.Address, engine._process).ConfigureAwait(false);
        return engine;
    }

    /// <summary>Changes members of <see cref="MockEngineOptions"/>.</summary>
    public async Task ChangeAsync(object options)
    {
        using var answer = await _client.PostAsJsonAsync("/mock/options", options).ConfigureAwait(false);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Forgets counts, and what is in memory.</summary>
    public async Task ResetAsync()
    {
        using var answer = await _client.PostAsync(new Uri("/mock/reset?unload=true", UriKind.Relative), null).ConfigureAwait(false);
        answer.EnsureSuccessStatusCode();
    }

    public async Task<EngineCounts> CountsAsync() =>
        (await _client.GetFromJsonAsync<EngineCounts>("/mock/statistics").ConfigureAwait(false))!;

    /// <summary>Waits until no request is being answered, so that one measurement does not affect the next.</summary>
    public async Task WaitUntilIdleAsync()
    {
        for (var i = 0; i < 100 && (await CountsAsync().ConfigureAwait(false)).InFlight > 0; i++)
        {
            await Task.Delay(50).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        _process.Dispose();
    }
}

/// <summary>The members of <see cref="MockStatistics"/> that are read here.</summary>
internal sealed record EngineCounts(int InFlight, long Requests, long ColdLoads, long Evictions, long Refused);
