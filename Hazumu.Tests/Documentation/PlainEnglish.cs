using System.Text.RegularExpressions;

namespace Hazumu.Tests.Documentation;

/// <summary>Turns that readers with another first language have to read twice, and the words to use instead.</summary>
internal static partial class PlainEnglish
{
    private static readonly (Regex Turn, string Instead)[] s_turns =
    [
        (Opening(), "a noun or a condition, such as 'A client that …', 'No client …' or 'If …'"),
        (Tell(), "'reported', 'logged', 'exported', 'shows' or 'distinguishes'"),
        (Asked(), "'requested'"),
        (Over(), "'finished' or 'has ended'"),
        (Whoever(), "'every client that …', 'no client …' or another noun"),
        (ByWayOf(), "'through'"),
        (BeHad(), "'is (not) available'"),
        (LetGo(), "'released'"),
        (Heed(), "'respects' or 'ignores'"),
        (Anew(), "'again'"),
        (AsARule(), "'usually'"),
    ];

    /// <summary>Finds the turns in a text.</summary>
    /// <param name="text">The text, without markup; what is quoted from programs is not read.</param>
    /// <returns>The lines, from 1, with the sentence and the words to use.</returns>
    public static IEnumerable<(int Line, string Problem)> Find(string text)
    {
        var readable = Quoted().Replace(text, Hide);
        var start = 0;
        var ends = SentenceEnd().Matches(readable)
            .Select(match => (Start: match.Index, Next: match.Index + match.Length))
            .Append((Start: readable.Length, Next: readable.Length));
        foreach (var end in ends)
        {
            var sentence = readable[start..end.Start];
            if (!sentence.TrimEnd(' ', '\n', '"', '\'', ')', ']', '*').EndsWith('?'))
            {
                foreach (var (turn, instead) in s_turns)
                {
                    if (turn.Match(sentence) is { Success: true } match)
                    {
                        var line = 1 + text.AsSpan(0, start + match.Index + match.Length).Count('\n');
                        var words = OneLine(match.Value).TrimStart('>', '*', '_', '"', '\'', '(', '[', '-', ' ');
                        yield return (line, $"\"{OneLine(text[start..end.Start])}\": write {instead} instead of '{words}'.");
                    }
                }
            }

            start = end.Next;
        }
    }

    /// <summary>
    /// The text of a page, on the same lines: without code blocks, headings (links lead to them) and comments.
    /// </summary>
    /// <param name="markdown">The page.</param>
    public static string TextOf(string markdown) =>
        NotText().Replace(markdown, match => NotNewline().Replace(match.Value, " "));

    private static string OneLine(string text) => Space().Replace(text, " ").Trim();

    private static string Hide(Match match) => NotNewline().Replace(match.Value, "x");

    [GeneratedRegex(@"^[\s>*_""'(\[-]*(?:\d+\.\s+)?(?:Who|Whoever|Whatever|What|Nobody|Where)\b")]
    private static partial Regex Opening();

    [GeneratedRegex(@"\b(?:un)?told\b|\btells?\b", RegexOptions.IgnoreCase)]
    private static partial Regex Tell();

    [GeneratedRegex(@"\basked\b", RegexOptions.IgnoreCase)]
    private static partial Regex Asked();

    [GeneratedRegex(@"\b(?:is|are|was|were|be) over(?=\s*(?:[.,;:)]|$|(?:and|since|when|afterwards)\b))")]
    private static partial Regex Over();

    [GeneratedRegex(@"\b(?:whoever|nobody)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Whoever();

    [GeneratedRegex(@"\bby\s+way\s+of\b", RegexOptions.IgnoreCase)]
    private static partial Regex ByWayOf();

    [GeneratedRegex(@"\b(?:can|could|cannot)\s+(?:not\s+)?be\s+had\b")]
    private static partial Regex BeHad();

    [GeneratedRegex(@"\b(?:let|lets|letting)\s+go\s+of\b")]
    private static partial Regex LetGo();

    [GeneratedRegex(@"\bheed(?:s|ed)?\b")]
    private static partial Regex Heed();

    [GeneratedRegex(@"\banew\b")]
    private static partial Regex Anew();

    [GeneratedRegex(@"\bas\s+a\s+rule\b")]
    private static partial Regex AsARule();

    // Code, the addresses of links, and the values in a message or an annotation.
    [GeneratedRegex(@"`[^`]*`|\]\([^)]*\)|\{\{.*?\}\}|\{[^{}]*\}")]
    private static partial Regex Quoted();

    [GeneratedRegex(
        @"^[ \t]*```.*?^[ \t]*```[ \t]*$|<!--.*?-->|^#{1,6} [^\n]*$",
        RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex NotText();

    // Also a list's item, a table's cell and a paragraph.
    [GeneratedRegex(@"(?<=[.:;!?])[""')*\]]*\s+|\n[ \t]*\n|\n(?=[ \t]*(?:[-*]|\d+\.)[ \t])|\|")]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@"[^\n]")]
    private static partial Regex NotNewline();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
