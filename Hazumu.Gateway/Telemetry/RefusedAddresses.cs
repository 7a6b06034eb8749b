using System.Net;
using System.Runtime.InteropServices;
using Hazumu.Gateway.Pipeline.Clients;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Telemetry;

/// <summary>
/// How often one address was refused within the last minutes: a client that tries keys, or ignores a limit.
/// </summary>
/// <remarks>
/// Only the largest number becomes a metric. With the address as a label, an attacker could create as many series as
/// they have addresses, and Prometheus would store the addresses for its whole retention; the access log contains them
/// for its own retention.
/// </remarks>
/// <param name="time">The clock.</param>
internal sealed class RefusedAddresses(TimeProvider time)
{
    /// <summary>The minutes that are counted together.</summary>
    public const int Minutes = 5;

    /// <summary>The most addresses of one minute: 64 bytes each, about 3 MB for all. Further ones are not counted.</summary>
    public const int Limit = 10_000;

    /// <summary>The outcomes that count.</summary>
    public static readonly Outcome[] Outcomes = [Outcome.Unauthorized, Outcome.Forbidden, Outcome.RateLimited];

    private readonly Dictionary<Source, int>[] _minutes = [.. Enumerable.Range(0, Minutes).Select(_ => new Dictionary<Source, int>())];
    private readonly Lock _lock = new();
    private long _minute;

    /// <summary>Counts a finished request if it was refused.</summary>
    public void Count(Outcome outcome, IPAddress? address)
    {
        if (address is null || Array.IndexOf(Outcomes, outcome) < 0)
        {
            return;
        }

        var source = new Source(outcome, AddressBlock.Of(address));
        lock (_lock)
        {
            var counts = _minutes[MoveOn() % Minutes];
            if (counts.Count < Limit || counts.ContainsKey(source))
            {
                CollectionsMarshal.GetValueRefOrAddDefault(counts, source, out _)++;
            }
        }
    }

    /// <summary>The highest number of refusals of any address; 0 without refusals.</summary>
    public int Most(Outcome outcome)
    {
        lock (_lock)
        {
            MoveOn();
            return _minutes.SelectMany(counts => counts)
                .Where(count => count.Key.Outcome == outcome)
                .GroupBy(count => count.Key, count => count.Value)
                .Select(counts => counts.Sum())
                .DefaultIfEmpty()
                .Max();
        }
    }

    // Forgets the minutes that have passed since the last look.
    private long MoveOn()
    {
        var now = time.GetUtcNow().Ticks / TimeSpan.TicksPerMinute;
        for (var minute = Math.Max(_minute + 1, now - Minutes + 1); minute <= now; minute++)
        {
            _minutes[minute % Minutes].Clear();
        }

        // A clock that is set back does not bring a minute back.
        return _minute = Math.Max(_minute, now);
    }

    private readonly record struct Source(Outcome Outcome, AddressBlock Address);
}
