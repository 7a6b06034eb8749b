using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using NodaTime;

namespace Hazumu.Gateway.Names;

/// <summary>The models of <c>Gateway:PinnedModels</c>, as they are now.</summary>
internal sealed class PinnedModels
{
    private const string Section = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.PinnedModels)}";

    private volatile IReadOnlyList<PinnedModel> _all;

    /// <summary>Reads the models, and again when the settings change.</summary>
    /// <exception cref="StartupProblemException">An entry is not allowed; a sentence for each problem.</exception>
    public PinnedModels(GatewaySettings settings)
    {
        _all = Read(settings.Current);
        settings.Checking += options => Read(options);
        settings.Changed += options => _all = Read(options);
    }

    /// <summary>Every model, those that matter most first.</summary>
    public IReadOnlyList<PinnedModel> All => _all;

    /// <summary>Reads and checks the models of some settings.</summary>
    /// <exception cref="StartupProblemException">An entry is not allowed; a sentence for each problem.</exception>
    public static IReadOnlyList<PinnedModel> Read(GatewayOptions options)
    {
        StartupProblemException.ThrowIfAny(
            [.. options.PinnedModels.Select(entry => ProblemOf($"{Section}:{entry.Key}", entry.Value, options)).OfType<string>()],
            exitCode: 2);
        return
        [
            .. options.PinnedModels.Values.Select(entry => new PinnedModel(
                ChainModel.From(entry.Model!),
                entry,
                [.. entry.LoadAt.Select(text => LoadTime.Parse(text)!)],
                DateTimeZoneProviders.Tzdb[options.TimeZone])),
        ];
    }

    private static string? ProblemOf(string path, PinnedModelOptions entry, GatewayOptions options)
    {
        var problem = string.IsNullOrEmpty(entry.Model) ? "is not set" : ModelText.ProblemOf(entry.Model);
        if (problem is not null)
        {
            return $"'{path}:{nameof(entry.Model)}' {problem}; give the name of a model.";
        }

        var name = ModelName.FullNameOf(entry.Model!);
        if (options.ModelNames.Values.FirstOrDefault(named => named.Name is not null && ModelName.FullNameOf(named.Name) == name) is { } alias
            && !alias.Models.Any(model => ModelName.FullNameOf(model) == name))
        {
            return $"'{path}:{nameof(entry.Model)}' is '{entry.Model}', a name of "
                + $"'{GatewayOptions.SectionName}:{nameof(options.ModelNames)}'; give the model that serves it, such as '{(alias.Models is [var first, ..] ? first : null)}'.";
        }

        return entry.LoadAt.FirstOrDefault(text => LoadTime.Parse(text) is null) is { } time
                ? $"'{path}:{nameof(entry.LoadAt)}' has '{time}'; allowed: times such as '07:30', '07:30 mon-fri' or '22:00 sat sun', separated by commas."
            : entry.Engines.FirstOrDefault(engine => !options.Engines.Keys.Any(known => PinnedModel.IsMeant(engine, known))) is { } engine
                ? $"'{path}:{nameof(entry.Engines)}' has '{engine}', which is no engine; there {(options.Engines.Count == 0 ? "is none" : $"are {string.Join(", ", options.Engines.Keys)}")}."
            : null;
    }
}
