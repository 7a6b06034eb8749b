using System.Text.Json;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// The digests that images had when they were last requested, by <c>./hazumu digests</c>: a tag can be given to another
/// image, a digest cannot.
/// </summary>
internal static class ImageDigests
{
    private static readonly Lazy<Dictionary<string, string>> s_known = new(() =>
    {
        using var file = typeof(ImageDigests).Assembly.GetManifestResourceStream("image-digests.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, string>>(file)!;
    });

    /// <summary>The digest of an image, <c>sha256:…</c>; <see langword="null"/> where none is known.</summary>
    /// <param name="reference">Registry, repository and tag.</param>
    public static string? Of(string reference) => s_known.Value.GetValueOrDefault(reference);
}
