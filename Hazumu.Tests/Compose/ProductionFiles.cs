using Hazumu.Testing;
using Hazumu.Mocks;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Compose;

/// <summary>
/// The Compose files of production's form where it is tested: <c>leave-out.sh</c> leaves out the components whose images cannot be had.
/// The gateway is nothing without an engine, so that in place of an Ollama that cannot be had the mock engine runs, confined as Ollama is.
/// </summary>
internal static class ProductionFiles
{
    /// <summary>The file of the tests' own.</summary>
    public const string Own = "docker-compose.test.yaml";

    private const int OllamaPort = 11434;

    /// <summary>Whether the engine is the real one, which keeps its models on the volume.</summary>
    public static bool HasOllama { get; } = Component.Ollama.Missing is null;

    /// <summary>The components that can run, the mock engine as Ollama among them.</summary>
    public static IReadOnlyList<Component> Components { get; } =
        [.. Component.All.Where(component => component == Component.Ollama || component == Component.Gateway || component.Missing is null)];

    /// <summary>The files' names.</summary>
    /// <param name="components">The components that are to run.</param>
    public static IReadOnlyList<string> Names(IEnumerable<Component> components) =>
        LeftOut(components).Any() ? ["docker-compose.yaml", "left-out/docker-compose.yaml", Own] : ["docker-compose.yaml", Own];

    /// <summary>Writes those files that are not published.</summary>
    /// <param name="folder">The application's folder.</param>
    /// <param name="components">The components that are to run.</param>
    /// <param name="more">Further services of the tests' own file.</param>
    public static async Task WriteAsync(string folder, IReadOnlyList<Component> components, string more = "")
    {
        var leftOut = await ProcessRunner.RunAsync("sh", ["leave-out.sh", .. LeftOut(components)], workingDirectory: folder);
        Assert.True(leftOut.Succeeded, leftOut.Output);
        var mock = components.Contains(Component.Ollama) && !HasOllama ? MockInPlaceOfOllama() : "";
        await File.WriteAllTextAsync(Path.Combine(folder, Own), $"services:\n  edge: {{}}\n{mock}{more}");
    }

    private static IEnumerable<string> LeftOut(IEnumerable<Component> components) =>
        Component.All.Except(components).Select(component => component.Service).Where(service => ((YamlMappingNode)PublishedCompose.Main["services"]).Children.ContainsKey(service));

    // It runs on the .NET of the gateway's image.
    private static string MockInPlaceOfOllama() => $$"""
          ollama-volume:
            image: {{Component.Gateway.Image}}
          ollama:
            image: {{Component.Gateway.Image}}
            entrypoint: [/mock/{{typeof(MockEngine).Assembly.GetName().Name}}]
            command: ['{"anywhere": true, "port": {{OllamaPort}}, "models": []}']
            healthcheck:
              test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:{{OllamaPort}}/api/version"]
            volumes:
              - type: bind
                source: {{AppContext.BaseDirectory}}
                target: /mock
                read_only: true

        """;
}
