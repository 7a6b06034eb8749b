using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Upstreams;

/// <summary>The models that are used of an engine, by its settings.</summary>
internal static class EngineModels
{
    /// <summary>Checks those of every engine.</summary>
    /// <exception cref="StartupProblemException">One is neither a model's name nor a pattern.</exception>
    public static void Check(GatewayOptions options)
    {
        foreach (var (name, engine) in options.Engines)
        {
            Of(name, engine);
        }
    }

    /// <summary>Reads them.</summary>
    /// <exception cref="StartupProblemException">One is neither a model's name nor a pattern.</exception>
    public static ModelList Of(string name, EngineOptions engine)
    {
        const string Allowed = "names of models and patterns such as qwen*, separated by commas";
        var setting = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.Engines)}:{name}:{nameof(engine.Models)}";
        return ModelList.TryParse(engine.Models, out var models, out var wrong)
            ? models
            : throw new StartupProblemException($"'{setting}' has '{wrong}'; allowed: {Allowed}.") { ExitCode = 2 };
    }
}
