using Hazumu.Testing;
using Hazumu.Tests.Compose;
using Hazumu.Tests.Configuration;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Chart;

/// <summary>The chart as it is published.</summary>
internal static class ChartFolder
{
    /// <summary>Its folder.</summary>
    public static string Folder => Published.Chart;

    /// <summary>The values that the tests render it with, by name.</summary>
    public static TheoryData<string> Values => [.. Directory.EnumerateFiles(RepositoryRoot.Combine("Hazumu.Tests", "Chart", "Values")).Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal)];

    /// <summary>The file of such values.</summary>
    public static string ValuesFile(string name) => RepositoryRoot.Combine("Hazumu.Tests", "Chart", "Values", $"{name}.yaml");

    /// <summary>What the AppHost knows, as it was published into the chart.</summary>
    public static KnownComponents Known => ConfigurationFile.ReadCamelCase<KnownComponents>(Folder, "files", "components.yaml");

    /// <summary>The images of <c>values.yaml</c>: name with registry, tag, digest; but not the gateway's, which is in no registry.</summary>
    public static IEnumerable<(string Name, string Tag, string Digest)> Images => ImagesOf(PublishedCompose.Read(Path.Combine(Folder, "values.yaml"))["images"]);

    private static IEnumerable<(string Name, string Tag, string Digest)> ImagesOf(YamlNode node) => node switch
    {
        YamlMappingNode image when image.Children.ContainsKey("repository") => image["repository"].ToString() is { Length: > 0 } repository ? [($"{image["registry"]}/{repository}", image["tag"].ToString(), image["digest"].ToString())] : [],
        YamlMappingNode images => images.Children.Values.SelectMany(ImagesOf),
        _ => [],
    };

    internal sealed class KnownComponents
    {
        public string Network { get; init; } = "";

        public Dictionary<string, KnownComponent> Components { get; init; } = [];

        public Dictionary<string, string> Elsewhere { get; init; } = [];
    }

    internal sealed class KnownComponent
    {
        public int Port { get; init; }

        public string? Engine { get; init; }

        public List<string> Reaches { get; init; } = [];

        public List<string> Args { get; init; } = [];

        public Dictionary<string, List<string>> Tasks { get; init; } = [];
    }
}
