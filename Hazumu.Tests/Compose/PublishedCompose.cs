using Hazumu.Testing;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Tests.Compose;

/// <summary>The Compose files of the published application.</summary>
internal static class PublishedCompose
{
    /// <summary>Where they are.</summary>
    public static string Folder => Published.Compose;

    /// <summary>What production uses: the application, and the files that an option adds.</summary>
    public static IEnumerable<string> ProductionFiles => Directory.EnumerateFiles(Folder, "docker-compose*.yaml").Where(file => !file.Contains("development", StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    /// <summary>The application without options.</summary>
    public static YamlMappingNode Main { get; } = Read(Path.Combine(Folder, "docker-compose.yaml"));

    /// <summary>Every service of production's files with its name; one that an option changes is there more than once.</summary>
    public static IEnumerable<PublishedService> Services => ProductionFiles.SelectMany(ServicesOf);

    /// <summary>The services of one file.</summary>
    public static IEnumerable<PublishedService> ServicesOf(string file) =>
        ((YamlMappingNode)Read(file)["services"]).Select(entry => new PublishedService(Path.GetFileName(file), ((YamlScalarNode)entry.Key).Value!, (YamlMappingNode)entry.Value));

    /// <summary>A file's mapping.</summary>
    public static YamlMappingNode Read(string file)
    {
        var yaml = new YamlStream();
        using var reader = File.OpenText(file);
        yaml.Load(reader);
        return (YamlMappingNode)yaml.Documents[0].RootNode;
    }
}

/// <summary>A service as a Compose file has it.</summary>
/// <param name="File">The file's name.</param>
/// <param name="Name">The service's name.</param>
/// <param name="Node">What stands under it.</param>
internal sealed record PublishedService(string File, string Name, YamlMappingNode Node)
{
    /// <summary>Whether the file has the whole service, and not only what an option adds to it.</summary>
    public bool IsWhole => Has("security_opt");

    /// <summary>Whether it runs until it is stopped, and not once.</summary>
    public bool IsLasting => Text("restart") != "no";

    /// <summary>Whether there is such a key.</summary>
    public bool Has(string key) => Node.Children.ContainsKey(key);

    /// <summary>The text under a path of keys, or <see langword="null"/>.</summary>
    public string? Text(params string[] path)
    {
        YamlNode node = Node;
        foreach (var key in path)
        {
            if (node is not YamlMappingNode mapping || !mapping.Children.TryGetValue(key, out node!))
            {
                return null;
            }
        }

        return (node as YamlScalarNode)?.Value;
    }

    /// <summary>The texts of a list; none where there is no such key.</summary>
    public IReadOnlyList<string> List(string key) => Node.Children.TryGetValue(key, out var list) ? [.. ((YamlSequenceNode)list).Select(item => ((YamlScalarNode)item).Value!)] : [];

    /// <summary>The entries of a mapping; none where there is no such key.</summary>
    public IReadOnlyDictionary<string, YamlNode> Entries(string key) => Node.Children.TryGetValue(key, out var entries)
        ? ((YamlMappingNode)entries).ToDictionary(entry => ((YamlScalarNode)entry.Key).Value!, entry => entry.Value)
        : new Dictionary<string, YamlNode>();

    /// <summary>The mounts: kind, source, target, and whether the container may write.</summary>
    public IEnumerable<(string Type, string Source, string Target, bool IsWritable)> Mounts => Node.Children.TryGetValue("volumes", out var mounts)
        ? ((YamlSequenceNode)mounts).Select(mount => (Type: mount["type"].ToString(), Source: mount["source"].ToString(), Target: mount["target"].ToString(), IsWritable: !((YamlMappingNode)mount).Children.TryGetValue("read_only", out var readOnly) || readOnly.ToString() != "true"))
        : [];

    /// <inheritdoc/>
    public override string ToString() => $"{Name} of {File}";
}
