using System.Globalization;
using System.Text.RegularExpressions;

namespace Hazumu.Hosting.Settings;

/// <summary>A model that is given by a GGUF file of this machine, and not by a name in a registry.</summary>
/// <param name="Path">The file; of a model of several files, the first.</param>
/// <param name="Name">The name by which it is served: the file's, without its ending and its number.</param>
/// <param name="Parts">All files of the model, the first one too.</param>
internal sealed partial record ModelFile(string Path, string Name, IReadOnlyList<string> Parts)
{
    /// <summary>
    /// The form of a path. A name may end with .gguf too, after a colon: <c>hf.co/user/repository:model.gguf</c>.
    /// </summary>
    public const string Pattern = @"([A-Za-z]:[\\/])?[^:,]+\.[gG][gG][uU][fF]";

    /// <summary>Whether the model has several files, which llama-server takes and Ollama does not (ollama/ollama#5245).</summary>
    public bool IsSplit => Parts.Count > 1;

    /// <summary>Whether an item of <c>Hazumu:Models</c> is a path.</summary>
    /// <param name="model">The item.</param>
    public static bool IsPath(string model) => Path_().IsMatch(model);

    /// <summary>Finds the file, or the files, of a model.</summary>
    /// <param name="path">The path; of a model of several files, that of the first.</param>
    /// <param name="folder">The folder that it is relative to.</param>
    /// <exception cref="StartupProblemException">There is no such file, it is no GGUF file, or a part is missing.</exception>
    public static ModelFile Find(string path, string folder)
    {
        var file = System.IO.Path.GetFullPath(path, folder);
        Check(file);
        if (Part().Match(file) is not { Success: true } part)
        {
            return new(file, System.IO.Path.GetFileNameWithoutExtension(file), [file]);
        }

        var (stem, count, ending) = (part.Groups["stem"].Value, part.Groups["count"].Value, part.Groups["ending"].Value);
        List<string> parts = [.. Enumerable.Range(1, int.Parse(count, CultureInfo.InvariantCulture)).Select(number => $"{stem}-{number:00000}-of-{count}{ending}")];
        if (parts.FirstOrDefault() != file)
        {
            throw new StartupProblemException($"The file '{file}' of 'Hazumu:Models' is not the first part of its model; set the path of '{stem}-00001-of-{count}{ending}'.");
        }

        if (parts.Find(other => !File.Exists(other)) is { } missing)
        {
            throw new StartupProblemException($"The model '{file}' of 'Hazumu:Models' has {parts.Count} parts, and '{missing}' is missing; put all parts into one folder.");
        }

        parts.ForEach(Check);
        return new(file, System.IO.Path.GetFileName(stem), parts);
    }

    /// <summary>Finds the files of a list of models, whose names must differ: each is a model's name.</summary>
    /// <param name="models">The items of <c>Hazumu:Models</c>.</param>
    /// <param name="folder">The folder that paths are relative to.</param>
    /// <param name="takesParts">Whether an engine takes models of several files.</param>
    /// <exception cref="StartupProblemException">A file cannot be served, or two have one name.</exception>
    public static void CheckAll(IEnumerable<string> models, string folder, bool takesParts)
    {
        List<ModelFile> files = [.. models.Where(IsPath).Select(path => Find(path, folder))];
        StartupProblemException.ThrowIfAny(
            [
                .. files.GroupBy(model => model.Name, StringComparer.OrdinalIgnoreCase).Where(same => same.Count() > 1).Select(same =>
                    $"'Hazumu:Models' has {string.Join(" and ", same.Select(model => $"'{model.Path}'"))}, which would both be the model '{same.Key}'; rename one of the files, or leave it out."),
                .. files.Where(model => model.IsSplit && !takesParts).Select(model =>
                    $"The model '{model.Path}' of 'Hazumu:Models' has {model.Parts.Count} parts, which Ollama cannot import; set Hazumu:LlamaServer:Enabled to true, or join the parts with llama.cpp's 'llama-gguf-split --merge'."),
            ],
            exitCode: 2);
    }

    private static void Check(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            Span<byte> magic = stackalloc byte[4];
            if (stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) != magic.Length || !magic.SequenceEqual("GGUF"u8))
            {
                throw new StartupProblemException($"The file '{file}' of 'Hazumu:Models' is not a GGUF file: it does not begin with the letters GGUF. Download it again, or convert the model by llama.cpp's convert_hf_to_gguf.py.");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartupProblemException($"The file '{file}' of 'Hazumu:Models' cannot be read ({error.Message.TrimEnd('.')}); give the absolute path of a GGUF file.");
        }
    }

    [GeneratedRegex(@"^(?<stem>.+)-\d{5}-of-(?<count>\d{5})(?<ending>\.gguf)$", RegexOptions.IgnoreCase)]
    private static partial Regex Part();

    [GeneratedRegex($"^{Pattern}$")]
    private static partial Regex Path_();
}
