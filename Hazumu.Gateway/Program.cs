using System.Net.Sockets;
using Hazumu.Gateway;
using Hazumu.Gateway.Keys;

GatewayHost.TuneSockets();
StartupProblemException.EndProcessPlainly();

try
{
    if (KeysCommand.IsAsked(args))
    {
        return await KeysCommand.RunAsync(args, GatewayHost.Configure([]).Build());
    }

    await using var app = GatewayHost.Build(args);
    await app.RunAsync();
    return 0;
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("Requests that were still running when the time of Gateway:Timeouts:Drain was over have been broken off.");
    return 0;
}
catch (Exception problem) when (problem is IOException or SocketException)
{
    // Nothing else of a start lets one of these through.
    await Console.Error.WriteLineAsync($"The gateway cannot listen: {problem.Message}");
    return 1;
}
catch (KeyFileException problem)
{
    await Console.Error.WriteLineAsync(problem.Message);
    return 1;
}
