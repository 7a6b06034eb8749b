using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Hazumu.Hosting.Ollama;

/// <summary>Ollama's model names.</summary>
internal static partial class OllamaModelName
{
    /// <summary>
    /// Spells the tag out, as Ollama does: <c>tinyllama</c> becomes <c>tinyllama:latest</c>. The Toolkit compares names
    /// to the letter
    /// and would pull a model that is there already (no issue there yet; seen in its HasModelAsync, 13.5.0). To be
    /// removed when that knows the default tag.
    /// </summary>
    public static string Normalize(string name) =>
        name.LastIndexOf(':') > name.LastIndexOf('/') ? name : $"{name}:latest";

    /// <summary>
    /// A name that Aspire accepts for a resource: letters, digits and single hyphens, at most 64 characters. If two
    /// models would get the same name, a part of the name's digest is appended.
    /// </summary>
    /// <param name="parent">The Ollama resource's name.</param>
    /// <param name="model">The model's whole name.</param>
    /// <param name="isTaken">Whether another resource has a name.</param>
    public static string ToResourceName(string parent, string model, Func<string, bool> isTaken)
    {
        var name = NotAllowed().Replace($"{parent}-{model.Replace(":latest", "", StringComparison.Ordinal)}", "-").Trim('-');
        if (name.Length <= MaxLength && !isTaken(name))
        {
            return name;
        }

        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(model)))[..8];
        return $"{name[..Math.Min(name.Length, MaxLength - digest.Length - 1)].Trim('-')}-{digest}";
    }

    private const int MaxLength = 64;

    [GeneratedRegex("[^A-Za-z0-9]+")]
    private static partial Regex NotAllowed();
}
