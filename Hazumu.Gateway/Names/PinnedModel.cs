using System.IO.Enumeration;
using Hazumu.Gateway.Configuration;
using NodaTime;

namespace Hazumu.Gateway.Names;

/// <summary>A model that is kept in memory.</summary>
/// <param name="Model">The model.</param>
/// <param name="Options">Its settings.</param>
/// <param name="LoadAt">The times at which it is loaded; it is kept always where there are none.</param>
/// <param name="Zone">The time zone of these times.</param>
internal sealed record PinnedModel(ChainModel Model, PinnedModelOptions Options, IReadOnlyList<LoadTime> LoadAt, DateTimeZone Zone)
{
    /// <summary>Whether an instance may keep it.</summary>
    /// <param name="instance">The instance's name, that of its engine and <c>@address</c> where the engine has several.</param>
    public bool IsFor(string instance) => Options.Engines.Count == 0 || Options.Engines.Any(engine => IsMeant(engine, instance));

    /// <summary>Whether a name or a pattern means an instance.</summary>
    public static bool IsMeant(string engine, string instance) =>
        FileSystemName.MatchesSimpleExpression(engine, instance) || FileSystemName.MatchesSimpleExpression($"{engine}@*", instance);

    /// <summary>Until when it is kept, as of now; <see langword="null"/> where it is not.</summary>
    public DateTimeOffset? KeptUntil(DateTimeOffset now)
    {
        if (LoadAt.Count == 0)
        {
            return DateTimeOffset.MaxValue;
        }

        var moment = Instant.FromDateTimeOffset(now);
        var until = LoadAt.Max(time => time.LastBefore(moment, Zone)) + NodaTime.Duration.FromTimeSpan(Options.KeepFor);
        return until > moment ? until.ToDateTimeOffset() : null;
    }
}
