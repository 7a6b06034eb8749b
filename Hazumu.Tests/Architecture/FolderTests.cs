using System.Reflection;
using System.Text.RegularExpressions;
using ArchUnitNET.Loader;

namespace Hazumu.Tests.Architecture;

/// <summary>The folders of a project and the directions in which they use each other. Hazumu.Gateway.Tests holds the same of the gateway.</summary>
public sealed class FolderTests
{
    private static readonly string[] s_shared = ["", "Containers", "Networking", "Preflight", "Publishing", "Settings"];

    // Aspire's convention for extension methods and resources: found without a further 'using'.
    private static readonly string[] s_aspire = ["Aspire.Hosting", "Aspire.Hosting.ApplicationModel"];

    private static readonly SourceFolders s_hosting = new("Hazumu.Hosting");

    public static TheoryData<string> Projects => [.. s_assemblies.Keys];

    private static readonly Dictionary<string, Assembly> s_assemblies = new()
    {
        ["Hazumu.Cli"] = typeof(global::Hazumu.Cli.HazumuCommand).Assembly,
        ["Hazumu.Hosting"] = typeof(Hosting.Settings.HazumuOptions).Assembly,
        ["Hazumu.ServiceDefaults"] = typeof(Microsoft.Extensions.Hosting.ServiceDefaultsExtensions).Assembly,
        ["Hazumu.Settings"] = typeof(Hazumu.Settings.SettingsReader).Assembly,
    };

    [Theory]
    [MemberData(nameof(Projects))]
    public void No_two_folders_depend_on_each_other_in_a_circle(string project)
    {
        var uses = Uses(project).Where(use => use.Folder.Length > 0 && use.Used.Length > 0).ToList();
        foreach (var folder in uses.Select(use => use.Folder).Distinct())
        {
            // Follows the folders that this one uses; the way back to it is the circle.
            var ways = new Queue<List<string>>([[folder]]);
            var seen = new HashSet<string>();
            while (ways.TryDequeue(out var way))
            {
                foreach (var next in uses.Where(use => use.Folder == way[^1]).Select(use => use.Used).Distinct())
                {
                    Assert.False(next == folder, $"{project}: {string.Join(" → ", way)} → {next} ({string.Join(", ", uses.Where(use => use.Folder == way[^1] && use.Used == next).Select(use => $"{use.Type} uses {use.UsedType}").Distinct())})");
                    if (seen.Add(next))
                    {
                        ways.Enqueue([.. way, next]);
                    }
                }
            }
        }
    }

    [Fact]
    public void A_resource_folder_uses_no_other_resource_folder() => Assert.Empty(
        from use in Uses("Hazumu.Hosting")
        where ResourceFolders.Contains(use.Folder) && !s_shared.Contains(use.Used)
        select $"{use.Folder}/{use.Type} uses {use.Used}/{use.UsedType}");

    [Fact]
    public void Publishing_names_no_resource()
    {
        var names = new Regex(string.Join('|', ResourceFolders.Append("retention")), RegexOptions.IgnoreCase);
        Assert.Empty(
            from file in s_hosting.Files
            where file.Folders is ["Publishing"]
            from Match match in names.Matches(file.Text)
            select $"{file.Path}: {match.Value}");
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Namespaces_follow_the_folders(string project) => Assert.Empty(
        from file in new SourceFolders(project).Files
        let expected = string.Join('.', [project, .. file.Folders])
        where file.Namespace is { } name && name != expected && !s_aspire.Contains(name) && name != "Microsoft.Extensions.Hosting"
        select $"{project}/{file.Path} is in {file.Namespace}");

    [Fact]
    public void No_two_projects_have_a_type_of_the_same_name()
    {
        string[] projects = ["Hazumu.AppHost", "Hazumu.Cli", "Hazumu.Gateway", "Hazumu.Hosting", "Hazumu.ServiceDefaults", "Hazumu.Settings", "Hazumu.Testing", "bench", "grafana"];
        Assert.Empty(
            from project in projects
            from type in new SourceFolders(project).FolderOfType
            group project by type.Key into declared
            where declared.Count() > 1
            select $"{declared.Key}: {string.Join(", ", declared)}");
    }

    private static IEnumerable<string> ResourceFolders => s_hosting.Files.Select(file => file.Folders.FirstOrDefault("")).Distinct().Except(s_shared);

    // The compiler writes constants into their users: those uses are found by name.
    private static List<(string Folder, string Type, string Used, string UsedType)> Uses(string project)
    {
        var source = new SourceFolders(project);
        var folders = source.FolderOfType;
        var byReference =
            from type in new ArchLoader().LoadAssemblies(s_assemblies[project]).Build().Types
            from dependency in type.Dependencies
            select (From: SourceName(type.FullName), To: SourceName(dependency.Target.FullName));
        var byName =
            from file in source.Files
            from type in folders
            where file.Text.Contains($"{type.Key}.", StringComparison.Ordinal) && Regex.IsMatch(file.Text, $@"(?<![\w.]){type.Key}\.")
            select (From: Path.GetFileNameWithoutExtension(file.Path), To: type.Key);
        return
        [
            .. from use in byReference.Concat(byName).Distinct()
               from folder in folders[use.From]
               from used in folders[use.To]
               where folder != used
               select (folder, use.From, used, use.To),
        ];
    }

    // 'Namespace.Outer`1+Inner' is written in the file of 'Outer'.
    private static string SourceName(string fullName) => fullName.Split('+', '/', '`', '<')[0].Split('.')[^1];
}
