using Hazumu.Checks;
using Hazumu.Mocks;

namespace Hazumu.Standalone.Tests.Compose;

/// <summary>
/// What production's form lacks where it is tested: a further Compose file leaves out the components whose images cannot be had. The
/// gateway is nothing without an engine, so that in place of an Ollama that cannot be had the mock engine runs, confined as Ollama is.
/// </summary>
internal static class LeftOutFile
{
    /// <summary>The file's name.</summary>
    public const string Name = "docker-compose.left-out.yaml";

    private const int OllamaPort = 11434;

    /// <summary>Whether the engine is the real one, which keeps its models on the volume.</summary>
    public static bool HasOllama { get; } = Component.Ollama.Missing is null;

    /// <summary>The components that run.</summary>
    public static IReadOnlyList<Component> Components { get; } =
        [.. Component.All.Where(component => component == Component.Ollama || component == Component.Gateway || component.Missing is null)];

    /// <summary>Writes the file.</summary>
    /// <param name="folder">The application's folder.</param>
    public static Task WriteAsync(string folder)
    {
        var services = Component.All.Except(Components).Select(component => $"  {component.Service}:\n    profiles: [left-out]\n").ToList();
        if (!HasOllama)
        {
            services.Add(MockInPlaceOfOllama());
        }

        return File.WriteAllTextAsync(Path.Combine(folder, Name), "services:\n" + string.Concat(services.DefaultIfEmpty("  edge: {}\n")));
    }

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
