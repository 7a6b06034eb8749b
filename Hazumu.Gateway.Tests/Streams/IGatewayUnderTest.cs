namespace Hazumu.Gateway.Tests.Streams;

/// <summary>A gateway, wherever it runs.</summary>
internal interface IGatewayUnderTest
{
    /// <summary>Where it listens.</summary>
    Uri Address { get; }

    /// <summary>A client of it: HTTP/1.1, and nothing of an answer is changed.</summary>
    HttpClient Http { get; }
}

/// <summary>The gateway's command line.</summary>
internal static class GatewayArguments
{
    /// <summary>The arguments for some engines, and a free port unless an endpoint is among the further ones.</summary>
    public static IEnumerable<string> Of(IEnumerable<(string Name, Uri Engine)> instances, IReadOnlyCollection<string> arguments)
    {
        foreach (var (name, engine) in instances)
        {
            yield return $"--Gateway:Engines:{name}:Url={engine.GetLeftPart(UriPartial.Authority)}";
        }

        // As raw requests of the tests call it.
        yield return "--Gateway:AllowedHosts=gateway";
        if (!arguments.Any(argument => argument.StartsWith("--Kestrel:Endpoints", StringComparison.Ordinal)))
        {
            yield return "--urls=http://127.0.0.1:0";
        }

        foreach (var argument in arguments)
        {
            yield return argument;
        }
    }
}
