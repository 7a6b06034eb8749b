namespace Hazumu.Gateway.Tests.Streams;

/// <summary>Tests that take or measure the machine's time: they run when all others are over, one by one.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    /// <summary>The collection's name.</summary>
    public const string Name = "alone";
}
