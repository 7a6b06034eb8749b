using System.Net.Sockets;
using Hazumu.Gateway;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Usage;

GatewayHost.TuneSockets();
StartupProblemException.ExitWithoutStackTrace();

try
{
    if (KeysCommand.IsAsked(args))
    {
        return await KeysCommand.RunAsync(args, GatewayHost.Configure([]).Build());
    }

    if (UsageCommand.IsAsked(args))
    {
        var settings = GatewaySettings.Read(GatewayHost.Configure([]).Build());
        return await UsageCommand.RunAsync(args, settings.Usage, Console.Out, Console.Error, TimeProvider.System);
    }

    await using var app = GatewayHost.Build(args);
    await app.RunAsync();
    return 0;
}
catch (OperationCanceledException)
{
    await WriteErrorAsync("Requests that were still running after Gateway:Timeouts:Drain have been aborted.");
    return 0;
}
catch (Exception problem) when (problem is IOException or SocketException)
{
    // Nothing else of a start lets one of these through.
    await WriteErrorAsync($"The gateway cannot listen: {problem.Message}");
    return 1;
}
catch (KeyFileException problem)
{
    await WriteErrorAsync(problem.Message);
    return 1;
}

// The reader of standard error may have stopped reading: the process ends all the same.
static async Task WriteErrorAsync(string message)
{
    var written = Task.Run(() => Console.Error.WriteLine(message));
    await Task.WhenAny(written, Task.Delay(TimeSpan.FromSeconds(2)));
}
