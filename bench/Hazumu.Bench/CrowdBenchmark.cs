using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Hazumu.Bench.Processes;
using Hazumu.Bench.Proxies;
using Hazumu.Bench.Reports;

namespace Hazumu.Bench;

/// <summary>
/// The experience of a client through the gateway, compared with the engine alone: a cold load, a flood of another key,
/// an outage.
/// </summary>
internal sealed class CrowdBenchmark : IDisposable
{
    private const int Slots = 2;
    private const double LoadSeconds = 2;
    private const double TitleSeconds = 8;
    private const string Files = "the-key-of-the-many-files";
    private const string Chat = "the-key-of-another-chat";

    private readonly string _folder;
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromMinutes(5) };
    private EngineProcess _engine;

    private CrowdBenchmark(string folder, EngineProcess engine) => (_folder, _engine) = (folder, engine);

    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        var options = new Arguments(arguments);
        var rounds = options.Whole("--rounds", 3);
        var embeddings = options.Whole("--embeddings", 2_000);
        var path = options.Text("--gateway-dll") ?? GatewayProcess.DefaultPath;
        var output = options.Text("--output");
        options.ThrowIfUnknown();

        var folder = Directory.CreateTempSubdirectory("hazumu-bench-");
        using var bench = new CrowdBenchmark(folder.FullName, await EngineProcess.StartAsync(folder.FullName, Options));
        try
        {
            var port = ChildProcess.FreePort();
            using var gateway = GatewayProcess.Start(path, folder.FullName, port, bench.Environment());
            var targets = new[] { ("direct", bench._engine.Address), ("gateway", new Uri($"http://127.0.0.1:{port}")) };
            await Readiness.WaitAsync(targets[1].Item2, gateway);

            var measurements = new List<CrowdMeasurement>();
            for (var round = 1; round <= rounds; round++)
            {
                foreach (var (name, address) in targets)
                {
                    await Console.Error.WriteLineAsync($"round {round} of {rounds}: {name}");
                    measurements.Add(await bench.MeasureAsync(name, address, embeddings));
                }
            }

            Console.WriteLine(Write(embeddings, measurements));
            var file = ResultFile.Write(output, "crowd", new { machine = Machine.Read(), rounds, embeddings, measurements });
            await Console.Error.WriteLineAsync($"Every round is in {file}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    public void Dispose()
    {
        _engine.Dispose();
        _client.Dispose();
    }

    private static object Options => new { models = new[] { new { name = "mock" } }, parallel = Slots, loadTime = LoadSeconds, prefillTime = 0.01, tokens = 4, tokenTime = TitleSeconds / 4 };

    private Dictionary<string, string> Environment() => new()
    {
        ["Gateway__Engines__a__Url"] = $"http://127.0.0.1:{_engine.Port}",
        ["Gateway__Slots"] = $"{Slots}",
        ["Gateway__Connections__PerAddress"] = "100000",
        ["Gateway__Keys__Required"] = "true",
        ["Gateway__Keys__File"] = Path.Combine(_folder, "keys.json"),
        ["Gateway__Keys__Configured__files__Key"] = Files,
        ["Gateway__Keys__Configured__chat__Key"] = Chat,
        ["Gateway__Telemetry__AccessLog__Enabled"] = "false",
    };

    private async Task<CrowdMeasurement> MeasureAsync(string target, Uri address, int embeddings)
    {
        // The gateway must also forget the earlier state of the memory.
        await _engine.WaitUntilIdleAsync();
        await _engine.ResetAsync();
        await Task.Delay(TimeSpan.FromSeconds(8));

        // A title, not streamed, loads the model; the chat comes beside it.
        var title = SendAsync(address, "/api/chat", ChatBody(streams: false), Files);
        await Task.Delay(100);
        var cold = await SecondsAsync(() => FirstByteAsync(address));
        await title;

        await _engine.ChangeAsync(new { tokens = 1, tokenTime = 0 });
        var began = Stopwatch.GetTimestamp();
        var flood = Enumerable.Range(0, embeddings).Select(number => SendAsync(address, "/api/embed", $$"""{"model":"mock","input":"piece {{number}}"}""", Files)).ToList();
        var chats = new List<double>();
        while (chats.Count == 0 || flood.Exists(task => !task.IsCompleted))
        {
            await Task.Delay(50);
            chats.Add(await SecondsAsync(() => FirstByteAsync(address)));
        }

        var answered = (await Task.WhenAll(flood)).Count(status => status == HttpStatusCode.OK);
        var duration = Stopwatch.GetElapsedTime(began).TotalSeconds;

        _engine.Dispose();
        await Task.Delay(TimeSpan.FromSeconds(20));
        var refused = await SecondsAsync(() => SendAsync(address, "/api/chat", ChatBody(streams: true), Chat));
        _engine = await EngineProcess.StartAsync(_folder, Options, _engine.Port);
        await _engine.ChangeAsync(new { loadTime = 0, tokenTime = 0 });
        var back = await SecondsAsync(async () =>
        {
            while (await SendAsync(address, "/api/chat", ChatBody(streams: true), Chat) != HttpStatusCode.OK)
            {
                await Task.Delay(20);
            }
        });
        await _engine.ChangeAsync(new { loadTime = LoadSeconds, tokens = 4, tokenTime = TitleSeconds / 4 });
        return new(target, cold, answered, duration, Statistic.Median(chats), chats.Max(), refused, back);
    }

    private static string Write(int embeddings, IReadOnlyList<CrowdMeasurement> measurements)
    {
        var table = new TextTable("target", "chat beside a cold load s", $"of {embeddings} answered", "in s", "chat beside them p50 s", "max s", "refused in an outage after s", "back after s");
        foreach (var target in measurements.GroupBy(measurement => measurement.Target))
        {
            string Cell(Func<CrowdMeasurement, double> read) => Statistic.Median([.. target.Select(read)]).ToString("0.00", CultureInfo.InvariantCulture);
            table.Add(
                target.Key, Cell(one => one.ColdSeconds), target.Min(one => one.Answered).ToString(CultureInfo.InvariantCulture), Cell(one => one.FloodSeconds),
                Cell(one => one.ChatSeconds), Cell(one => one.LongestChatSeconds), Cell(one => one.RefusedSeconds), Cell(one => one.BackSeconds));
        }

        return table.ToString();
    }

    private static string ChatBody(bool streams) => $$"""{"model":"mock","stream":{{(streams ? "true" : "false")}},"messages":[{"role":"user","content":"Hello"}]}""";

    private static async Task<double> SecondsAsync(Func<Task> action)
    {
        var began = Stopwatch.GetTimestamp();
        await action();
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private async Task FirstByteAsync(Uri address)
    {
        using var request = Request(address, "/api/chat", ChatBody(streams: true), Chat);
        using var answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        answer.EnsureSuccessStatusCode();
        await using var body = await answer.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[1]);
    }

    // No status where there is no connection.
    private async Task<HttpStatusCode> SendAsync(Uri address, string path, string body, string key)
    {
        try
        {
            using var request = Request(address, path, body, key);
            using var answer = await _client.SendAsync(request);
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }

    private static HttpRequestMessage Request(Uri address, string path, string body, string key) => new(HttpMethod.Post, new Uri(address, path))
    {
        Content = new StringContent(body, Encoding.UTF8, "application/json"),
        Headers = { Authorization = new("Bearer", key) },
    };
}

/// <summary>The results of one target in one round.</summary>
/// <param name="Target">Its name.</param>
/// <param name="ColdSeconds">Until a chat's first byte, beside an answer that is not streamed and loads the model.</param>
/// <param name="Answered">Embeddings that were answered.</param>
/// <param name="FloodSeconds">Until the last of them.</param>
/// <param name="ChatSeconds">Until the first byte of another key's chat meanwhile; the median.</param>
/// <param name="LongestChatSeconds">The longest.</param>
/// <param name="RefusedSeconds">Until a request is refused in an outage that has lasted.</param>
/// <param name="BackSeconds">Until one is answered after the engine's return.</param>
internal sealed record CrowdMeasurement(
    string Target, double ColdSeconds, int Answered, double FloodSeconds, double ChatSeconds, double LongestChatSeconds, double RefusedSeconds, double BackSeconds);
