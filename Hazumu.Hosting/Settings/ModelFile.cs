using System.Text.RegularExpressions;

namespace Hazumu.Hosting.Settings;

/// <summary>A model that is given by a GGUF file of this machine, and not by a name in a registry.</summary>
/// <param name="Path">The file.</param>
/// <param name="Name">The name by which it is served: the file's, without its ending.</param>
internal sealed partial record ModelFile(string Path, string Name)
{
    /// <summary>
    /// The form of a path. A name may end with .gguf too, after a colon: <c>hf.co/user/repository:model.gguf</c>.
    /// </summary>
    public const string Pattern = @"([A-Za-z]:[\\/])?[^:,]+\.[gG][gG][uU][fF]";

    /// <summary>Whether an item of <c>Hazumu:Models</c> is a path.</summary>
    /// <param name="model">The item.</param>
    public static bool IsPath(string model) => Path_().IsMatch(model);

    /// <summary>Finds the file.</summary>
    /// <param name="path">The path.</param>
    /// <param name="folder">The folder that it is relative to.</param>
    /// <exception cref="StartupProblemException">There is no such file, or it is no GGUF file.</exception>
    public static ModelFile Find(string path, string folder)
    {
        var file = System.IO.Path.GetFullPath(path, folder);
        if (Part().IsMatch(file))
        {
            throw new StartupProblemException($"The file '{file}' of 'Hazumu:Models' is a part of a model; join the parts to one file by llama.cpp's 'llama-gguf-split --merge' and set its path.");
        }

        try
        {
            using var stream = File.OpenRead(file);
            Span<byte> magic = stackalloc byte[4];
            return stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.SequenceEqual("GGUF"u8)
                ? new(file, System.IO.Path.GetFileNameWithoutExtension(file))
                : throw new StartupProblemException($"The file '{file}' of 'Hazumu:Models' is not a GGUF file: it does not begin with the letters GGUF. Download it again, or convert the model by llama.cpp's convert_hf_to_gguf.py.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartupProblemException($"The file '{file}' of 'Hazumu:Models' cannot be read ({error.Message.TrimEnd('.')}); give the absolute path of a GGUF file.");
        }
    }

    /// <summary>Finds the files of a list of models, whose names must differ: each is a model's name.</summary>
    /// <param name="models">The items of <c>Hazumu:Models</c>.</param>
    /// <param name="folder">The folder that paths are relative to.</param>
    /// <exception cref="StartupProblemException">A file cannot be served, or two have one name.</exception>
    public static void CheckAll(IEnumerable<string> models, string folder) => StartupProblemException.ThrowIfAny(
        [.. models.Where(IsPath).Select(path => Find(path, folder)).GroupBy(model => model.Name, StringComparer.OrdinalIgnoreCase).Where(same => same.Count() > 1).Select(same =>
            $"'Hazumu:Models' has {string.Join(" and ", same.Select(model => $"'{model.Path}'"))}, which would both be the model '{same.Key}'; rename one of the files, or leave it out.")],
        exitCode: 2);

    [GeneratedRegex(@"-\d{5}-of-(?!00001\.)\d{5}\.gguf$", RegexOptions.IgnoreCase)]
    private static partial Regex Part();

    [GeneratedRegex($"^{Pattern}$")]
    private static partial Regex Path_();
}
