using System.Text;

namespace Hazumu.Bench.Reports;

/// <summary>A table in Markdown, its columns aligned so that it can be read on a terminal.</summary>
internal sealed class TextTable(params IReadOnlyList<string> header)
{
    private readonly List<IReadOnlyList<string>> _rows = [header];

    public void Add(params IReadOnlyList<string> cells) => _rows.Add(cells);

    public override string ToString()
    {
        var widths = Enumerable.Range(0, header.Count).Select(column => _rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        for (var i = 0; i < _rows.Count; i++)
        {
            text.AppendLine(Line(_rows[i].Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]))));
            if (i == 0)
            {
                text.AppendLine(Line(widths.Select((width, column) => column == 0 ? new string('-', width) : new string('-', width - 1) + ":")));
            }
        }

        return text.ToString();
    }

    private static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";
}
