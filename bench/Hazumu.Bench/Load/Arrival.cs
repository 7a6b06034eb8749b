namespace Hazumu.Bench.Load;

/// <summary>A request to come.</summary>
/// <param name="Time">When, in seconds from the start.</param>
/// <param name="Model">For which model.</param>
/// <param name="Tokens">How many tokens it asks for.</param>
internal readonly record struct Arrival(double Time, string Model, int Tokens);
