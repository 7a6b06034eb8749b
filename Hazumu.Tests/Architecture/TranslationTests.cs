using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Architecture;

/// <summary>Pages in Japanese keep the headings, commands and links of their English originals.</summary>
public sealed partial class TranslationTests
{
    private static readonly List<string> s_translations =
    [
        .. new[] { "docs/ja", "docs/runbooks/ja" }
            .SelectMany(folder => Directory.EnumerateFiles(RepositoryRoot.Combine(folder), "*.md").Select(file => $"{folder}/{Path.GetFileName(file)}"))
            .Append("README.ja.md"),
    ];

    public static TheoryData<string> Pages => [.. s_translations.Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_translation_has_the_headings_of_the_original(string page)
    {
        Assert.Equal(Headings(Original(page)).Select(heading => heading.Level), Headings(page).Select(heading => heading.Level));
        Assert.All(
            Headings(Original(page)).Zip(Headings(page)).Where(pair => Path.GetFileNameWithoutExtension(page) == pair.First.Text),
            pair => Assert.Equal(pair.First.Text, pair.Second.Text));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_translation_has_the_commands_of_the_original(string page) => Assert.Equal(Commands(Original(page)), Commands(page));

    // To the same page and heading, in either language.
    [Theory]
    [MemberData(nameof(Pages))]
    public void A_translation_links_where_the_original_does(string page)
    {
        var original = Original(page);

        Assert.All(Links(page).Concat(Links(original)).Where(link => !link.Contains("://", StringComparison.Ordinal)), link =>
            Assert.True(Path.Exists(RepositoryRoot.Combine(link.Split('#')[0])), $"'{link}' leads nowhere."));
        Assert.Contains(original, Links(page));
        Assert.Contains(page, Links(original));
        Assert.Equal(
            Links(original).Select(InEnglish).Where(link => link != original).Distinct().Order(StringComparer.Ordinal),
            Links(page).Select(InEnglish).Where(link => link != original).Distinct().Order(StringComparer.Ordinal));
    }

    // New settings may be missing: the English table is made from the code.
    [Theory]
    [MemberData(nameof(Pages))]
    public void A_translation_lists_settings_as_the_original_does(string page) => Assert.Empty(Settings(page).Except(Settings(Original(page))));

    [Fact]
    public void Every_runbook_has_a_translation() => Assert.All(
        Directory.EnumerateFiles(RepositoryRoot.Combine("docs", "runbooks"), "*.md").Select(file => Path.GetFileName(file)),
        name => Assert.Contains($"docs/runbooks/ja/{name}", s_translations));

    private static string Original(string page) => page.Replace("/ja/", "/", StringComparison.Ordinal).Replace(".ja.", ".", StringComparison.Ordinal);

    // An anchor is made of the heading's text.
    private static string InEnglish(string link)
    {
        if (link.Split('#') is not [var page, var anchor] || page.Contains("://", StringComparison.Ordinal) || !page.EndsWith(".md", StringComparison.Ordinal))
        {
            return Original(link);
        }

        var index = Headings(page).FindIndex(heading => Anchor(heading.Text) == anchor);
        Assert.True(index >= 0, $"'{link}' leads to no heading.");
        return $"{Original(page)}#{Anchor(Headings(Original(page))[index].Text)}";
    }

    private static string Anchor(string heading) => NotInAnchor().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    private static List<(int Level, string Text)> Headings(string page) =>
        [.. Heading().Matches(Block().Replace(Read(page), "")).Select(match => (match.Groups["level"].Length, match.Groups["text"].Value))];

    // Without comments, which are translated; a diagram's labels are too.
    private static List<string> Commands(string page) =>
    [
        .. Block().Matches(Read(page)).Where(block => block.Groups["language"].Value != "mermaid").Select(block => string.Join(
            '\n', block.Value.Split('\n').Select(line => Comment().Replace(line, "").Trim()).Where(line => line.Length > 0))),
    ];

    // Relative to the repository.
    private static List<string> Links(string page) =>
    [
        .. Link().Matches(Block().Replace(Read(page), "")).Select(match => match.Groups["target"].Value)
            .Select(target => target.Contains("://", StringComparison.Ordinal)
                ? target
                : target.StartsWith('#')
                    ? page + target
                    : Path.GetRelativePath("/", Path.Combine("/", Path.GetDirectoryName(page)!, target)).Replace('\\', '/')),
    ];

    // A key and its default.
    private static IEnumerable<(string Key, string Default)> Settings(string page) =>
        Setting().Matches(Read(page)).Select(match => (match.Groups["key"].Value, match.Groups["default"].Value));

    private static string Read(string page) => File.ReadAllText(RepositoryRoot.Combine(page));

    [GeneratedRegex(@"^[ ]*```(?<language>\w*)\n.*?^[ ]*```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("^(?<level>#+) (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"(^|\s+)#\s.*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^\| `(?<key>(Gateway|Hazumu):[\w:]+)` \|\s*(?<default>[^|]*?)\s*\|", RegexOptions.Multiline)]
    private static partial Regex Setting();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();
}
