using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>
/// The gateway as it is run: a process of its own, with its sockets tuned, its access log on standard output, and a memory that is its alone.
/// </summary>
internal sealed class TestGatewayProcess : IAsyncDisposable, IGatewayUnderTest
{
    private const string Listening = "Now listening on: ";

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly TaskCompletionSource<Uri> _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TestGatewayProcess(Process process) => _process = process;

    /// <inheritdoc/>
    public Uri Address { get; private set; } = null!;

    /// <inheritdoc/>
    public HttpClient Http { get; private set; } = null!;

    /// <summary>What it has printed.</summary>
    public IReadOnlyCollection<string> Printed => _lines;

    /// <summary>Its memory now, in bytes.</summary>
    public long Memory
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>The files that it has mapped into its memory, libraries among them.</summary>
    public IEnumerable<string> Libraries => File.ReadLines($"/proc/{_process.Id}/maps").Where(line => line.EndsWith(".dll", StringComparison.Ordinal)).Distinct();

    /// <summary>The most memory it has had, in bytes.</summary>
    public long PeakMemory
    {
        get
        {
            var line = File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
    }

    /// <summary>Starts it in front of one engine, the instance <c>engine</c>.</summary>
    public static Task<TestGatewayProcess> StartAsync(Uri engine, params string[] arguments) => StartAsync([("engine", engine)], arguments);

    /// <summary>Starts it in front of some engines.</summary>
    public static Task<TestGatewayProcess> StartAsync(IEnumerable<(string Name, Uri Engine)> instances, params string[] arguments) =>
        StartAsync(Start([.. GatewayArguments.Of(instances, arguments)]));

    /// <summary>Starts it with a limit of open files.</summary>
    public static Task<TestGatewayProcess> StartLimitedAsync(int openFiles, IEnumerable<(string Name, Uri Engine)> instances, params string[] arguments)
    {
        var start = Start([.. GatewayArguments.Of(instances, arguments)]);
        start.ArgumentList.Insert(0, start.FileName);
        start.FileName = "/bin/sh";
        foreach (var argument in (string[])["sh", string.Create(CultureInfo.InvariantCulture, $"ulimit -n {openFiles}; exec \"$@\""), "-c"])
        {
            start.ArgumentList.Insert(0, argument);
        }

        return StartAsync(start);
    }

    private static async Task<TestGatewayProcess> StartAsync(ProcessStartInfo start)
    {
        var gateway = new TestGatewayProcess(new Process { StartInfo = start });
        try
        {
            gateway._process.OutputDataReceived += (_, line) => gateway.Take(line.Data);
            gateway._process.ErrorDataReceived += (_, line) => gateway.Take(line.Data);
            gateway._process.Start();
            gateway._process.BeginOutputReadLine();
            gateway._process.BeginErrorReadLine();
            gateway.Address = await gateway._listens.Task.WaitAsync(TimeSpan.FromSeconds(30));
            gateway.Http = TestGateway.Client(gateway.Address);

            // Healthy once every engine has been asked.
            await Wait.UntilAsync(() => Assert.True(gateway.Http.GetAsync(new Uri("/health", UriKind.Relative)).GetAwaiter().GetResult().IsSuccessStatusCode), TimeSpan.FromSeconds(20));
            return gateway;
        }
        catch (Exception error)
        {
            var printed = string.Join('\n', gateway._lines);
            await gateway.DisposeAsync();
            throw new InvalidOperationException($"The gateway did not start:\n{printed}", error);
        }
    }

    /// <summary>Runs it until it ends by itself.</summary>
    /// <returns>Its exit code, and what it has printed.</returns>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(Start(arguments))!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, await output, await error);
        }
        finally
        {
            process.Kill();
        }
    }

    /// <summary>Asks it to end, as a platform does.</summary>
    public void Terminate() => Signal("TERM");

    /// <summary>Lets it do nothing at all, until it may go on.</summary>
    public void Freeze() => Signal("STOP");

    /// <summary>Lets it go on.</summary>
    public void Thaw() => Signal("CONT");

    /// <summary>Kills it: it gets to say nothing.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return _process.WaitForExitAsync();
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> EndAsync(TimeSpan limit)
    {
        using var late = new CancellationTokenSource(limit);
        await _process.WaitForExitAsync(late.Token);
        return _process.ExitCode;
    }

    /// <summary>The access log's line of a request, which may come a little later.</summary>
    /// <param name="fits">Whether it is that one.</param>
    public async Task<JsonElement> AccessAsync(Func<JsonElement, bool> fits)
    {
        JsonElement found = default;
        await Wait.UntilAsync(() => found = AccessLines().Last(fits));
        return found;
    }

    /// <summary>The lines of the access log so far.</summary>
    public IEnumerable<JsonElement> AccessLines() =>
        _lines.Where(line => line.StartsWith("{\"time\":", StringComparison.Ordinal)).Select(line => JsonSerializer.Deserialize<JsonElement>(line));

    /// <summary>Waits until as many requests wait for a slot.</summary>
    public Task WaitsAsync(int count) => Wait.UntilAsync(async () =>
    {
        var lines = (await Http.GetStringAsync("/metrics")).Split('\n').Where(line => line.StartsWith("hazumu_gateway_queued{", StringComparison.Ordinal));
        Assert.Equal(count, lines.Sum(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture)));
    });

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static ProcessStartInfo Start(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = AppContext.BaseDirectory,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Hazumu.Gateway.dll"));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    private void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private void Take(string? line)
    {
        if (line is null)
        {
            _listens.TrySetException(new InvalidOperationException("It has ended."));
            return;
        }

        _lines.Enqueue(line);
        if (line.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at)
        {
            _listens.TrySetResult(new Uri(line[(at + Listening.Length)..]));
        }
    }
}
