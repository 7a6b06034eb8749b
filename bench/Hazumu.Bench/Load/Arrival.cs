namespace Hazumu.Bench.Load;

/// <summary>A request to come.</summary>
/// <param name="Time">When, in seconds from the start.</param>
/// <param name="Model">For which model.</param>
/// <param name="Tokens">The number of tokens that it requests.</param>
internal readonly record struct Arrival(double Time, string Model, int Tokens);
