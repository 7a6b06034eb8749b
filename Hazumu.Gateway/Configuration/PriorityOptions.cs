using System.ComponentModel.DataAnnotations;

namespace Hazumu.Gateway.Configuration;

/// <summary>The priority of a request in the queue, the highest first.</summary>
internal enum Priority
{
    /// <summary>Somebody waits for the answer.</summary>
    Interactive,

    /// <summary>That of a key unless it is set.</summary>
    Normal,

    /// <summary>No user waits for the answer.</summary>
    Batch,
}

/// <summary>
/// The shares of the priorities. While requests of all of them wait for a model, each gets its share of the slots that
/// come free.
/// </summary>
internal sealed class PriorityOptions
{
    /// <summary>The share of interactive requests.</summary>
    [Setting("The share of interactive requests in a model's free slots, in proportion to the other shares, while such requests wait", Allowed = "a number from 1 to 1000")]
    [Range(1, 1000)]
    public int Interactive { get; set; } = 16;

    /// <summary>The share of normal requests.</summary>
    [Setting("The share of normal requests", Allowed = "a number from 1 to 1000")]
    [Range(1, 1000)]
    public int Normal { get; set; } = 4;

    /// <summary>The share of batch requests.</summary>
    [Setting("The share of batch requests, which they always get", Allowed = "a number from 1 to 1000")]
    [Range(1, 1000)]
    public int Batch { get; set; } = 1;

    /// <summary>The share of a priority.</summary>
    public int ShareOf(Priority priority) => priority switch
    {
        Priority.Interactive => Interactive,
        Priority.Normal => Normal,
        _ => Batch,
    };
}
