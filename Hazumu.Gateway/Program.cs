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
catch (KeyFileException problem)
{
    await Console.Error.WriteLineAsync(problem.Message);
    return 1;
}
