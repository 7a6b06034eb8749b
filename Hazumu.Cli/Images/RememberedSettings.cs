using System.Text.RegularExpressions;

namespace Hazumu.Cli.Images;

/// <summary>
/// The addresses of the graph of the last <c>./hazumu up</c>, and its disabled components, for the doctor.
/// </summary>
internal static partial class RememberedSettings
{
    /// <summary>Writes settings.</summary>
    /// <param name="checkout">The checkout.</param>
    /// <param name="settings">The settings; only those are kept that the doctor needs.</param>
    public static void Write(Checkout checkout, IReadOnlyDictionary<string, string> settings) =>
        File.WriteAllLines(FileIn(checkout), settings.Where(setting => Kept().IsMatch(setting.Key)).Select(setting => $"{setting.Key}={setting.Value}"));

    /// <summary>Reads settings; none if there was no start.</summary>
    /// <param name="checkout">The checkout.</param>
    public static IReadOnlyDictionary<string, string> Read(Checkout checkout) =>
        File.Exists(FileIn(checkout))
            ? File.ReadLines(FileIn(checkout)).Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2).ToDictionary(parts => parts[0], parts => parts[1])
            : new Dictionary<string, string>();

    private static string FileIn(Checkout checkout) => Path.Combine(checkout.State, "settings");

    [GeneratedRegex("^Hazumu__([A-Za-z]+__(Port|Enabled)|BindAddress)$", RegexOptions.IgnoreCase)]
    private static partial Regex Kept();
}
