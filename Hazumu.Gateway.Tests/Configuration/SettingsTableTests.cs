using System.Text;
using Hazumu.Gateway.Configuration;
using Hazumu.Settings;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Configuration;

/// <summary>The table in docs/gateway.md is what the code says.</summary>
public sealed class SettingsTableTests
{
    private const string Begin = "<!-- settings: made from the code; a test compares -->";
    private const string End = "<!-- /settings -->";

    [Fact]
    public void The_documented_settings_are_those_of_the_code()
    {
        var text = File.ReadAllText(RepositoryRoot.Combine("docs", "gateway.md")).ReplaceLineEndings("\n");
        var documented = text[(text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)..text.IndexOf(End, StringComparison.Ordinal)];

        Assert.Equal(Table(), documented.Trim());
    }

    private static string Table()
    {
        var table = new StringBuilder("| key | default | allowed | what it does |\n|---|---|---|---|");
        foreach (var setting in SettingsReader.List(GatewayOptions.SectionName, new GatewayOptions()))
        {
            table.Append($"\n| `{setting.Key}` | {(setting.Default.Length == 0 ? "" : $"`{setting.Default}`")} | {setting.Allowed} | {setting.Description} |");
        }

        return table.ToString();
    }
}
