namespace Hazumu.Tests.Faults;

/// <summary>What a fault led to. Times are in seconds.</summary>
/// <param name="Fault">The fault's name.</param>
/// <param name="After">From the fault to the page, or to the alert where it wakes nobody; <see langword="null"/> where it did not come.</param>
/// <param name="Paged">What else paged, until all was calm again.</param>
/// <param name="Fired">What else fired and told nobody, or nobody at night.</param>
/// <param name="Cleared">From the cure to the word that it is over, or to the alert's end where it woke nobody; <see langword="null"/> where that did not come.</param>
/// <param name="Requests">Requests of the steady load that ended while the fault lasted.</param>
/// <param name="Failed">How many of them failed.</param>
/// <param name="On">The day.</param>
public sealed record FaultResult(string Fault, double? After, IReadOnlyList<string> Paged, IReadOnlyList<string> Fired, double? Cleared, int Requests, int Failed, DateOnly On)
{
    /// <summary>Within this the right alert must be there.</summary>
    public const int TargetAfter = 60;

    /// <summary>Within this of the cure it must be over.</summary>
    public const int TargetCleared = 120;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Fault}: after {After:0.0} s; paged too: [{string.Join(", ", Paged)}]; fired too: [{string.Join(", ", Fired)}]; cleared after {Cleared:0.0} s; {Failed} of {Requests} requests failed";

    /// <summary>What is not as promised; nothing where all is.</summary>
    /// <param name="fault">The fault.</param>
    public IEnumerable<string> Misses(InjectedFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);

        if (fault.Expectation != Expectation.Silence)
        {
            if (After is not <= TargetAfter)
            {
                yield return After is null ? $"{fault.Alert} did not come" : $"{fault.Alert} came after {After:0} s, not within {TargetAfter} s";
            }

            if (After is not null && Cleared is not <= TargetCleared)
            {
                yield return Cleared is null ? $"{fault.Alert} did not clear" : $"{fault.Alert} cleared {Cleared:0} s after the cure, not within {TargetCleared} s";
            }
        }
        else if (Fired.Count > 0)
        {
            yield return $"{string.Join(", ", Fired)} fired";
        }

        if (Paged.Count > 0)
        {
            yield return $"{string.Join(", ", Paged)} paged too";
        }
    }
}
