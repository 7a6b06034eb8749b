using System.Net;
using System.Runtime.InteropServices;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Pipeline.Clients;

/// <summary>Limits the requests of one address, with or without a key: a client that tries keys, or that floods the gateway, is refused before anything is read.</summary>
/// <param name="settings">The settings.</param>
/// <param name="time">The clock.</param>
internal sealed class AddressLimit(GatewaySettings settings, TimeProvider time)
{
    /// <summary>The most addresses that are counted at the same time; further ones share a bucket.</summary>
    public const int MaxAddresses = 10_000;

    private readonly Dictionary<AddressBlock, MinuteBucket> _buckets = [];
    private readonly Lock _lock = new();

    /// <summary>Counts a request.</summary>
    /// <param name="address">The client's address.</param>
    /// <returns>When to try again, if the address has reached its limit; <see langword="null"/> if the request may go on.</returns>
    public TimeSpan? Take(IPAddress? address)
    {
        var limit = settings.Current.AddressRequestsPerMinute;
        if (limit == 0 || address is null)
        {
            return null;
        }

        var block = AddressBlock.Of(address);
        var now = time.GetTimestamp();
        var minute = time.TimestampFrequency * 60;
        lock (_lock)
        {
            if (_buckets.Count >= MaxAddresses && !_buckets.ContainsKey(block))
            {
                RemoveEmpty(now, minute);
                if (_buckets.Count >= MaxAddresses)
                {
                    block = default;
                }
            }

            ref var bucket = ref CollectionsMarshal.GetValueRefOrAddDefault(_buckets, block, out _);
            bucket.SetLimit(limit, now);
            var wait = bucket.TicksUntilFree(minute);
            if (wait > 0)
            {
                return time.GetElapsedTime(0, wait);
            }

            bucket.Take(1, now, minute);
            return null;
        }
    }

    private void RemoveEmpty(long now, long minute)
    {
        foreach (var (block, bucket) in _buckets)
        {
            var copy = bucket;
            if (copy.Used(now, minute) == 0)
            {
                _buckets.Remove(block);
            }
        }
    }
}
