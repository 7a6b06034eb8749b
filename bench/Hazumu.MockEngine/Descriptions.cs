namespace Hazumu.Mocks;

/// <summary>What the engine's listings tell of a model.</summary>
internal static class Descriptions
{
    private const string Modified = "2026-01-01T00:00:00Z";
    private static readonly string[] s_families = ["llama"];
    private static readonly string[] s_capabilities = ["completion"];

    private static readonly object s_details = new
    {
        parent_model = "",
        format = "gguf",
        family = "llama",
        families = s_families,
        parameter_size = "1.2B",
        quantization_level = "Q8_0",
    };

    public static object Stored(MockModel model) => new
    {
        name = model.Name,
        model = model.Name,
        modified_at = model.ModifiedAt,
        size = model.Size,
        digest = Library.Digest(model),
        details = s_details,
        capabilities = s_capabilities,
    };

    public static object Loaded((MockModel Model, DateTimeOffset ExpiresAt) loaded) => new
    {
        name = loaded.Model.Name,
        model = loaded.Model.Name,
        size = loaded.Model.Size,
        digest = Library.Digest(loaded.Model),
        details = s_details,
        expires_at = loaded.ExpiresAt.UtcDateTime.ToString("O"),
        size_vram = loaded.Model.SizeVram ?? loaded.Model.Size,
        context_length = loaded.Model.ContextLength,
    };

    public static object Shown(MockModel model) => new
    {
        modelfile = $"FROM {model.Name}",
        details = s_details,
        model_info = new Dictionary<string, object>
        {
            ["general.architecture"] = "llama",
            ["llama.context_length"] = model.ContextLength,
        },
        capabilities = s_capabilities,
        modified_at = model.ModifiedAt,
    };

    public static object OpenAI(MockModel model) => new { id = model.Name, @object = "model", created = model.ModifiedAt.ToUnixTimeSeconds(), owned_by = "library" };
}
