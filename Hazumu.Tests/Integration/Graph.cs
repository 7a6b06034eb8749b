namespace Hazumu.Tests.Integration;

/// <summary>Keeps the tests that start a graph from running side by side: a graph takes the whole machine while it starts.</summary>
[CollectionDefinition(Collection, DisableParallelization = true)]
public sealed class Graph
{
    public const string Collection = "Graph";
}
