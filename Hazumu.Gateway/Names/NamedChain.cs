using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Names;

/// <summary>A name that clients may use, and the chain of models that serve it.</summary>
/// <param name="Name">The name, as it is configured.</param>
/// <param name="Models">The models, in the order in which they are tried.</param>
/// <param name="QueueLongerThan">
/// Requests that may wait for a model before the next one is taken; <see langword="null"/> for any number.
/// </param>
/// <param name="IsListed">Whether the name is listed among the models.</param>
internal sealed record NamedChain(string Name, IReadOnlyList<ChainModel> Models, int? QueueLongerThan, bool IsListed)
{
    /// <summary>The full names of the models.</summary>
    public IReadOnlyList<string> FullNames { get; } = [.. Models.Select(model => model.FullName)];

    /// <summary>The full names of the models in the order for a request: the one that it begins at, then the others.</summary>
    /// <param name="affinity">The request's conversation, which stays with its model; zero where it is of none.</param>
    public IReadOnlyList<string> FullNamesFor(ulong affinity)
    {
        var total = Models.Sum(model => model.Share);
        if (Models[0].Share >= total)
        {
            return FullNames;
        }

        var draw = (affinity == 0 ? Draw.Next() : Draw.Of(affinity)) * total;
        var at = Models.TakeWhile(model => (draw -= model.Share) >= 0).Count();
        return at == 0 || at == Models.Count ? FullNames : [FullNames[at], .. FullNames.Where((_, index) => index != at)];
    }

    /// <summary>
    /// The models that a caller may use: all of them if its key has the name, else those that its key has.
    /// </summary>
    public IEnumerable<ChainModel> AllowedTo(Caller caller) =>
        caller.MayUse(Name) ? Models : Models.Where(model => caller.MayUse(model.Name));

    /// <summary>The same chain with some of its models only.</summary>
    public NamedChain Only(IReadOnlyList<ChainModel> models) =>
        models.Count == Models.Count ? this : new(Name, models, QueueLongerThan, IsListed);

    /// <summary>Finds a model by its full name.</summary>
    public ChainModel Find(string fullName) => Models.First(model => model.FullName == fullName);
}

/// <summary>A model of a chain.</summary>
/// <param name="Name">The name as it is configured, which the engine gets.</param>
/// <param name="FullName">The full name under which instances have it.</param>
/// <param name="Share">How much of the chain's requests begin at it, in proportion to the other models.</param>
internal sealed record ChainModel(string Name, string FullName, double Share = 0)
{
    /// <summary>The model of a name as people write it.</summary>
    public static ChainModel From(string name) => new(name, ModelName.FullNameOf(name));
}
