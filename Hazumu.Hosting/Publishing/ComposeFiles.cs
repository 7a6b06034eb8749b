using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hazumu.Hosting.Publishing;

/// <summary>Writes the YAML of Compose files.</summary>
internal static class ComposeFiles
{
    /// <summary>Writes a file: comment lines, then the mapping.</summary>
    public static Task WriteAsync(string path, string header, YamlMappingNode root, CancellationToken cancellationToken) =>
        File.WriteAllTextAsync(path, header.ReplaceLineEndings("\n") + Text(root), cancellationToken);

    /// <summary>The mapping as text.</summary>
    public static string Text(YamlMappingNode root)
    {
        using var text = new StringWriter { NewLine = "\n" };
        new YamlStream(new YamlDocument(root)).Save(text, assignAnchors: false);
        return text.ToString().TrimEnd('.', '\n', '\r') + "\n";
    }

    /// <summary>A text that YAML must not take for anything else.</summary>
    public static YamlScalarNode Quoted(string value) => new(value) { Style = ScalarStyle.DoubleQuoted };

    /// <summary>The mapping under a key, made where there is none.</summary>
    public static YamlMappingNode MappingAt(this YamlMappingNode node, string key)
    {
        if (!node.Children.TryGetValue(key, out var child))
        {
            node.Add(key, child = new YamlMappingNode());
        }

        return (YamlMappingNode)child;
    }

    /// <summary>The sequence under a key, made where there is none.</summary>
    public static YamlSequenceNode SequenceAt(this YamlMappingNode node, string key)
    {
        if (!node.Children.TryGetValue(key, out var child))
        {
            node.Add(key, child = new YamlSequenceNode());
        }

        return (YamlSequenceNode)child;
    }
}
