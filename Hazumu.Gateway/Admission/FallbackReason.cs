namespace Hazumu.Gateway.Admission;

/// <summary>
/// Why a model of a chain does not serve a request. If there is a reason against each, the one with the smallest is
/// taken.
/// </summary>
internal enum FallbackReason
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>Its queue is longer than it may be, or full, or the request has waited there for too long.</summary>
    Queue,

    /// <summary>No instance that has it can be reached.</summary>
    Down,

    /// <summary>No instance has it.</summary>
    Missing,

    /// <summary>The attempts failed before the first byte of an answer.</summary>
    Failed,
}
