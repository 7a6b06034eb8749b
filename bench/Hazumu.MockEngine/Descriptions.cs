namespace Hazumu.Mocks;

/// <summary>What the engine's listings tell of a model.</summary>
internal static class Descriptions
{
    private const string Modified = "2026-01-01T00:00:00Z";

    public static object Stored(MockModel model, bool withCapabilities) => new
    {
        name = model.Name,
        model = model.Name,
        modified_at = model.ModifiedAt,
        size = model.Size,
        digest = Library.Digest(model),
        details = Details(model),
        capabilities = withCapabilities ? Capabilities(model) : null,
    };

    public static object Loaded((MockModel Model, DateTimeOffset ExpiresAt) loaded) => new
    {
        name = loaded.Model.Name,
        model = loaded.Model.Name,
        size = loaded.Model.Size,
        digest = Library.Digest(loaded.Model),
        details = Details(loaded.Model),
        expires_at = loaded.ExpiresAt.UtcDateTime.ToString("O"),
        size_vram = loaded.Model.SizeVram ?? loaded.Model.Size,
        context_length = loaded.Model.ContextLength,
    };

    public static object Shown(MockModel model) => new
    {
        modelfile = $"FROM {model.Name}",
        details = Details(model),
        model_info = new Dictionary<string, object>
        {
            ["general.architecture"] = model.Family,
            ["llama.context_length"] = model.ContextLength,
        },
        capabilities = Capabilities(model),
        modified_at = model.ModifiedAt,
    };

    private static object Details(MockModel model) => new
    {
        parent_model = "",
        format = "gguf",
        family = model.Family,
        families = (string[])[model.Family],
        parameter_size = "1.2B",
        quantization_level = "Q8_0",
    };

    private static string[] Capabilities(MockModel model) => [model.Embeds ? "embedding" : "completion"];

    public static object OpenAI(MockModel model) => new { id = model.Name, @object = "model", created = model.ModifiedAt.ToUnixTimeSeconds(), owned_by = "library" };
}
