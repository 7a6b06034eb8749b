using System.Collections.Frozen;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Names;

/// <summary>The names of <c>Gateway:ModelNames</c>, as they are now.</summary>
internal sealed class ModelNames
{
    private const string Section = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.ModelNames)}";

    private volatile FrozenDictionary<string, NamedChain> _chains;

    /// <summary>Reads the names, and again when the settings change.</summary>
    /// <exception cref="StartupProblemException">A name is not allowed; a sentence for each problem.</exception>
    public ModelNames(GatewaySettings settings)
    {
        _chains = Read(settings.Current);
        settings.Checking += options => Read(options);
        settings.Changed += options => _chains = Read(options);
    }

    /// <summary>Every chain.</summary>
    public IReadOnlyList<NamedChain> All => _chains.Values;

    /// <summary>The chain of a name.</summary>
    /// <param name="fullName">The name, normalised as a model's.</param>
    /// <returns><see langword="null"/> where the name is not configured.</returns>
    public NamedChain? Find(string fullName) => _chains.Count == 0 ? null : _chains.GetValueOrDefault(fullName);

    /// <summary>Reads and checks the names of some settings.</summary>
    /// <exception cref="StartupProblemException">A name is not allowed; a sentence for each problem.</exception>
    public static FrozenDictionary<string, NamedChain> Read(GatewayOptions options)
    {
        var problems = new List<string>();
        var entries = new Entries();
        foreach (var (key, entry) in options.ModelNames)
        {
            var path = $"{Section}:{key}";
            if (ProblemOf(path, entry) is { } problem)
            {
                problems.Add(problem);
            }
            else if (!entries.TryAdd(ModelName.FullNameOf(entry.Name!), (path, entry)))
            {
                var other = entries[ModelName.FullNameOf(entry.Name!)].Path;
                problems.Add(
                    $"'{path}:Name' is '{entry.Name}', which '{other}' has already; "
                    + "put all models of a name into one entry.");
            }
        }

        var chains = new Dictionary<string, NamedChain>(StringComparer.Ordinal);
        foreach (var (name, (_, entry)) in entries)
        {
            var models = new List<ChainModel>();
            if (FindCircle(name, entries, models, []) is { } circle)
            {
                problems.Add(
                    $"'{Section}' has a circle: {circle}; "
                    + "a name may be served by another name, but not by itself, directly or through others.");
            }

            chains.Add(name, new(entry.Name!, models, entry.QueueLongerThan, entry.List));
        }

        StartupProblemException.ThrowIfAny([.. problems.Distinct()], exitCode: 2);
        foreach (var (name, chain) in chains.ToList())
        {
            var shares = new Dictionary<string, double>(StringComparer.Ordinal);
            AddShares(name, entries, part: 1, shares);
            chains[name] = chain with { Models = [.. chain.Models.Select(model => model with { Share = shares.GetValueOrDefault(model.FullName) })] };
        }

        return chains.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private static string? ProblemOf(string path, ModelNameOptions entry)
    {
        var problemOfName = string.IsNullOrEmpty(entry.Name) ? "is not set" : ModelText.ProblemOf(entry.Name);
        var problemOfModel = entry.Models.Select(ModelText.ProblemOf).FirstOrDefault(problem => problem is not null);
        return problemOfName is not null ? $"'{path}:Name' {problemOfName}; give the name that clients use."
            : entry.Models.Count == 0
                ? $"'{path}:Models' is empty; list the models that serve '{entry.Name}', the first choice first."
            : problemOfModel is not null
                ? $"'{path}:Models' has a name that {problemOfModel}; give the name of a model."
            : entry.Shares.Count > 0 && (entry.Shares.Count != entry.Models.Count || entry.Shares.All(share => SharesAttribute.ShareOf(share) == 0))
                ? $"'{path}:Shares' is '{string.Join(',', entry.Shares)}'; give a number for each of the {entry.Models.Count} models, one of them above 0."
            : null;
    }

    // Adds the models of a name in their order, those of other names in the place of these. A name that lists itself
    // means the model.
    private static string? FindCircle(string name, Entries entries, List<ChainModel> models, List<string> path)
    {
        path = [.. path, name];
        foreach (var model in entries[name].Options.Models.Select(ChainModel.From))
        {
            if (model.FullName != name && entries.ContainsKey(model.FullName))
            {
                var circle = path.Contains(model.FullName)
                    ? Circle(path, model.FullName, entries)
                    : FindCircle(model.FullName, entries, models, path);
                if (circle is not null)
                {
                    return circle;
                }
            }
            else if (!models.Exists(known => known.FullName == model.FullName))
            {
                models.Add(model);
            }
        }

        return null;
    }

    // Each model's part of a chain; that of a name is divided as this name's own chain is.
    private static void AddShares(string name, Entries entries, double part, Dictionary<string, double> shares)
    {
        var entry = entries[name].Options;
        List<double> own = entry.Shares.Count == 0 ? [1] : [.. entry.Shares.Select(share => (double)SharesAttribute.ShareOf(share)!)];
        foreach (var (share, model) in own.Zip(entry.Models.Select(ChainModel.From)).Where(pair => pair.First > 0))
        {
            if (model.FullName != name && entries.ContainsKey(model.FullName))
            {
                AddShares(model.FullName, entries, part * share / own.Sum(), shares);
            }
            else
            {
                shares[model.FullName] = shares.GetValueOrDefault(model.FullName) + (part * share / own.Sum());
            }
        }
    }

    // From its first name in alphabetical order, so that each circle is reported once.
    private static string Circle(List<string> path, string name, Entries entries)
    {
        var circle = path[path.IndexOf(name)..];
        var first = circle.IndexOf(circle.Min(StringComparer.Ordinal)!);
        string[] names = [.. circle[first..], .. circle[..first], circle[first]];
        return string.Join(" → ", names.Select(part => entries[part].Options.Name));
    }

    private sealed class Entries() : Dictionary<string, (string Path, ModelNameOptions Options)>(StringComparer.Ordinal);
}
