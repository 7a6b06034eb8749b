using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Architecture;

/// <summary>The source files of a project: Aspire's convention puts extension methods and resources into namespaces that do not name the folder.</summary>
internal sealed partial class SourceFolders
{
    /// <summary>Reads a project.</summary>
    /// <param name="project">The project's folder in the repository.</param>
    public SourceFolders(string project)
    {
        var root = RepositoryRoot.Combine(project);
        Files =
        [
            .. from path in Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
               let relative = Path.GetRelativePath(root, path).Replace('\\', '/')
               where !relative.StartsWith("obj/", StringComparison.Ordinal) && !relative.StartsWith("bin/", StringComparison.Ordinal)
               select new SourceFile(relative, Comments().Replace(File.ReadAllText(path), "")),
        ];
    }

    /// <summary>The files, without comments.</summary>
    public IReadOnlyList<SourceFile> Files { get; }

    /// <summary>The top-level types with the first folder of their file; empty for the project's own folder.</summary>
    public ILookup<string, string> FolderOfType => Files
        .SelectMany(file => Declarations().Matches(file.Text), (file, match) => (Type: match.Groups["name"].Value, Folder: file.Folders.FirstOrDefault("")))
        .Distinct()
        .ToLookup(declared => declared.Type, declared => declared.Folder);

    [GeneratedRegex(@"^\s*//.*$|(?<=[;{})\s])// .*$", RegexOptions.Multiline)]
    private static partial Regex Comments();

    [GeneratedRegex(@"^(?:[a-z]+ )*(?:class|record struct|record|enum|struct|interface) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex Declarations();
}

/// <summary>A source file.</summary>
/// <param name="Path">The path in the project.</param>
/// <param name="Text">The text.</param>
internal sealed partial record SourceFile(string Path, string Text)
{
    /// <summary>The folders of the path.</summary>
    public IReadOnlyList<string> Folders => Path.Split('/')[..^1];

    /// <summary>The namespace; <see langword="null"/> where no type is declared.</summary>
    public string? Namespace => NamespaceDeclaration().Match(Text) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceDeclaration();
}
