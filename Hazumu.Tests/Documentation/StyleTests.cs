using System.Text.RegularExpressions;
using Hazumu.Testing;

namespace Hazumu.Tests.Documentation;

/// <summary>Texts for users are in plain English: <see cref="PlainEnglish"/> lists the turns to avoid.</summary>
public sealed partial class StyleTests
{
    // The Japanese pages have other words, and what an entry of the changelog said stays.
    private static readonly string[] s_otherPages = ["README.ja.md", "CHANGELOG.md"];

    // Their published copies are elsewhere.
    private static readonly string[] s_pageFolders =
    [
        "", "docs", "docs/runbooks", "bench", "bench/results", "samples", "deploy/compose", "Hazumu.Hosting", ".github",
    ];

    // Settings, messages, and the descriptions of dashboards are strings there.
    private static readonly string[] s_programs =
    [
        "Hazumu.AppHost", "Hazumu.Cli", "Hazumu.Gateway", "Hazumu.Hosting", "Hazumu.ServiceDefaults", "Hazumu.Settings",
        "grafana/dashboards",
    ];

    [Fact]
    public void Pages_are_in_plain_English() => AssertNone(
        from file in s_pageFolders.SelectMany(folder => Files(folder, "*.md", SearchOption.TopDirectoryOnly))
        where !s_otherPages.Contains(Path.GetFileName(file))
        from found in PlainEnglish.Find(PlainEnglish.TextOf(File.ReadAllText(file).ReplaceLineEndings("\n")))
        select Describe(file, found.Line, found.Problem));

    [Fact]
    public void Alerts_are_in_plain_English() => AssertNone(
        from file in Files("prometheus/rules", "*.yaml", SearchOption.TopDirectoryOnly)
        from line in File.ReadLines(file).Index()
        from text in Annotation().Matches(line.Item)
        from found in PlainEnglish.Find(text.Groups["text"].Value)
        select Describe(file, line.Index + 1, found.Problem));

    [Fact]
    public void Messages_settings_and_dashboards_are_in_plain_English() => AssertNone(
        from file in s_programs.SelectMany(folder => Files(folder, "*.cs", SearchOption.AllDirectories))
        from line in File.ReadLines(file).Index()
        where !line.Item.TrimStart().StartsWith("//", StringComparison.Ordinal)
        from text in StringLiteral().Matches(line.Item)
        where text.Value.AsSpan().Count(' ') >= 3
        from found in PlainEnglish.Find(text.Groups["text"].Value)
        select Describe(file, line.Index + 1, found.Problem));

    [Theory]
    [InlineData("One is free.\nWho waits gets it.", 2, "Who")]
    [InlineData("- It runs.\n- What it needs is there.", 2, "What")]
    [InlineData("| a | Where it is |", 1, "Where")]
    [InlineData("Each is told, and logs it.", 1, "told")]
    [InlineData("The operation that was\nasked for.", 2, "asked")]
    [InlineData("Count it when it is over.", 1, "is over")]
    [InlineData("It starts for whoever reads it.", 1, "whoever")]
    [InlineData("Connect by\nway of the gateway.", 2, "by way of")]
    public void A_turn_to_avoid_is_found_on_its_line(string text, int line, string turn)
    {
        var found = Assert.Single(PlainEnglish.Find(text));

        Assert.Equal(line, found.Line);
        Assert.EndsWith($" instead of '{turn}'.", found.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Who may reach it?")]
    [InlineData("# What the gateway measures\n\nIt measures requests.")]
    [InlineData("The user `nobody` writes `Where x` into it.")]
    [InlineData("```sh\nWho asked?\n# Nobody told.\n```")]
    [InlineData("Bodies that are over 1 MiB, and [a link](by-way-of.md#nobody).")]
    [InlineData("The alert shows what failed, and where it runs.")]
    public void Other_text_passes(string markdown) => Assert.Empty(PlainEnglish.Find(PlainEnglish.TextOf(markdown)));

    private static void AssertNone(IEnumerable<string> problems)
    {
        var all = problems.ToList();
        Assert.True(all.Count == 0, $"{all.Count} sentences are not in plain English:\n{string.Join('\n', all)}");
    }

    private static List<string> Files(string folder, string pattern, SearchOption option)
    {
        var files = Directory.EnumerateFiles(RepositoryRoot.Combine(folder), pattern, option)
            .Where(file => !BuildOutput().IsMatch(file))
            .Order(StringComparer.Ordinal)
            .ToList();
        Assert.NotEmpty(files);
        return files;
    }

    private static string Describe(string file, int line, string problem) =>
        $"{Path.GetRelativePath(RepositoryRoot.Path, file).Replace('\\', '/')}:{line}: {problem}";

    [GeneratedRegex("""^\s+(?:summary|description): "(?<text>.*)"$""")]
    private static partial Regex Annotation();

    [GeneratedRegex("""
        "(?<text>(?:[^"\\]|\\.)*)"
        """)]
    private static partial Regex StringLiteral();

    [GeneratedRegex(@"[/\\](?:bin|obj)[/\\]")]
    private static partial Regex BuildOutput();
}
