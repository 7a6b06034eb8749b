using System.Globalization;

namespace Hazumu.Bench;

/// <summary>The command line: <c>--name value</c>, <c>--name</c>, and words without a name.</summary>
internal sealed class Arguments
{
    private readonly List<(string Name, string Value)> _options = [];
    private readonly HashSet<string> _read = [];

    /// <param name="arguments">The given arguments.</param>
    /// <param name="flags">Names that take no value.</param>
    public Arguments(IReadOnlyList<string> arguments, params IEnumerable<string> flags)
    {
        var isFlag = flags.ToHashSet();
        for (var i = 0; i < arguments.Count; i++)
        {
            var name = arguments[i];
            if (!name.StartsWith("--", StringComparison.Ordinal))
            {
                throw new ArgumentException($"'{name}' is no option.");
            }

            if (isFlag.Contains(name))
            {
                _options.Add((name, "true"));
            }
            else if (i + 1 < arguments.Count)
            {
                _options.Add((name, arguments[++i]));
            }
            else
            {
                throw new ArgumentException($"{name} needs a value.");
            }
        }
    }

    public bool Has(string flag) => All(flag).Any();

    public string? Text(string name) => All(name).LastOrDefault();

    public int Whole(string name, int otherwise) =>
        Text(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    public double Number(string name, double otherwise) =>
        Text(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>The words of a value that are separated by commas.</summary>
    public IReadOnlyList<string> Words(string name, IReadOnlyList<string> otherwise) =>
        Text(name) is { } text ? text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) : otherwise;

    /// <summary>The values <c>NAME=VALUE</c> of an option that may be given several times.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Pairs(string name) => PairsOf(name, All(name));

    /// <summary>Values <c>NAME=VALUE</c> that were given with an option.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> PairsOf(string name, IEnumerable<string> pairs) => [.. pairs.Select(pair =>
        pair.Split('=', 2) is [var key, var value]
            ? KeyValuePair.Create(key, value)
            : throw new ArgumentException($"{name} takes NAME=VALUE, not '{pair}'."))];

    /// <summary>Reports arguments that were not read.</summary>
    public void ThrowIfUnknown()
    {
        if (_options.Find(option => !_read.Contains(option.Name)) is { Name: { } unknown })
        {
            throw new ArgumentException($"There is no option {unknown}.");
        }
    }

    private IEnumerable<string> All(string name)
    {
        _read.Add(name);
        return _options.Where(option => option.Name == name).Select(option => option.Value);
    }
}
