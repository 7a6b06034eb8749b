using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Architecture;

/// <summary>Pages in Japanese keep the headings, commands and links of their English originals.</summary>
public sealed partial class TranslationTests
{
    // Summaries, which have other headings and fewer commands than the English page.
    private static readonly string[] s_summaries =
    [
        "README.ja.md", "docs/ja/development.md", "docs/ja/getting-started.md", "docs/ja/kubernetes.md", "docs/ja/monitoring.md",
        "docs/ja/production.md", "docs/ja/settings.md", "docs/ja/troubleshooting.md",
    ];

    private static readonly List<string> s_translations =
    [
        .. new[] { "docs/ja", "docs/runbooks/ja" }
            .SelectMany(folder => Directory.EnumerateFiles(RepositoryRoot.Combine(folder), "*.md").Select(file => $"{folder}/{Path.GetFileName(file)}"))
            .Append("README.ja.md")
            .Except(s_summaries)
            .Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> Pages => [.. s_translations];

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

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_translation_links_where_the_original_does(string page)
    {
        var original = Original(page);

        Assert.Contains(original, Links(page));
        Assert.Contains(page, Links(original));
        Assert.Equal(
            Links(original).Where(link => link != page).Select(Translated).Distinct().Order(StringComparer.Ordinal),
            Links(page).Where(link => link != original).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_runbook_has_a_translation() => Assert.All(
        Directory.EnumerateFiles(RepositoryRoot.Combine("docs", "runbooks"), "*.md").Select(file => Path.GetFileName(file)),
        name => Assert.Contains($"docs/runbooks/ja/{name}", s_translations));

    private static string Original(string page) => page.Replace("/ja/", "/", StringComparison.Ordinal).Replace(".ja.", ".", StringComparison.Ordinal);

    // To the translation's page and heading if there is one: an anchor is made of the heading's text.
    private static string Translated(string link)
    {
        var (page, anchor) = link.Split('#') is [var path, var heading] ? (path, heading) : (link, null);
        var translation = s_translations.Find(one => Original(one) == page);
        if (translation is null || anchor is null)
        {
            return translation ?? link;
        }

        var index = Headings(page).FindIndex(heading => Anchor(heading.Text) == anchor);
        Assert.True(index >= 0, $"'{link}' leads to no heading.");
        return $"{translation}#{Anchor(Headings(translation)[index].Text)}";
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

    private static string Read(string page) => File.ReadAllText(RepositoryRoot.Combine(page));

    [GeneratedRegex(@"^[ ]*```(?<language>\w*)\n.*?^[ ]*```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("^(?<level>#+) (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"(^|\s+)#\s.*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();
}
