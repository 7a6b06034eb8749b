using System.Text.RegularExpressions;

namespace Hazumu.AppHost.Ollama;

/// <summary>Ollama's model names.</summary>
internal static partial class ModelName
{
    /// <summary>
    /// Spells the tag out, as Ollama does: <c>tinyllama</c> becomes <c>tinyllama:latest</c>. The Toolkit compares names to the letter
    /// and would pull a model that is there already; to be removed when its HasModelAsync knows the default tag.
    /// </summary>
    public static string Normalize(string name) =>
        name.LastIndexOf(':') > name.LastIndexOf('/') ? name : $"{name}:latest";

    /// <summary>A name that Aspire takes for a resource: letters, digits and single hyphens, at most 64 characters.</summary>
    public static string ToResourceName(string parent, string model)
    {
        var name = Unfit().Replace($"{parent}-{model.Replace(":latest", "", StringComparison.Ordinal)}", "-").Trim('-');
        return name.Length <= 64 ? name : name[..64].Trim('-');
    }

    [GeneratedRegex("[^A-Za-z0-9]+")]
    private static partial Regex Unfit();
}
