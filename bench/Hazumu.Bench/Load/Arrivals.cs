using System.Globalization;

namespace Hazumu.Bench.Load;

/// <summary>Makes sequences of arrivals, the same ones for the same seed.</summary>
internal static class Arrivals
{
    private const int LeastTokens = 20;
    private const int MostTokens = 60;

    /// <summary>Names of models, the most popular one first.</summary>
    public static IReadOnlyList<string> Models(int count) =>
        [.. Enumerable.Range(1, count).Select(number => "m" + number.ToString(CultureInfo.InvariantCulture))];

    /// <summary>Arrivals of a Poisson process, of models whose popularity follows Zipf's law.</summary>
    public static IReadOnlyList<Arrival> Make(int seed, double seconds, double rate, int models, double skew)
    {
        var random = new Random(seed);
        var names = Models(models);
        var weights = names.Select((_, rank) => 1 / Math.Pow(rank + 1, skew)).ToArray();
        var arrivals = new List<Arrival>();
        for (var time = Gap(); time < seconds; time += Gap())
        {
            var left = random.NextDouble() * weights.Sum();
            var model = 0;
            while (model < models - 1 && (left -= weights[model]) > 0)
            {
                model++;
            }

            arrivals.Add(new Arrival(time, names[model], random.Next(LeastTokens, MostTokens + 1)));
        }

        return arrivals;

        double Gap() => -Math.Log(1 - random.NextDouble()) / rate;
    }
}
