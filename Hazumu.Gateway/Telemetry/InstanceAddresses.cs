using System.Collections.Concurrent;

namespace Hazumu.Gateway.Telemetry;

/// <summary>Host and port of instances as attributes want them, so that a request's end makes no new objects.</summary>
internal sealed class InstanceAddresses(IFleetGauges fleet)
{
    private readonly ConcurrentDictionary<string, InstanceAddress> _addresses = new(StringComparer.Ordinal);

    /// <summary>The address of an instance; null where it is not known.</summary>
    public InstanceAddress? Find(string instance)
    {
        var uri = fleet.FindAddress(instance);
        if (uri is null)
        {
            _addresses.TryRemove(instance, out _);
            return null;
        }

        if (_addresses.TryGetValue(instance, out var address) && address.Uri.Equals(uri))
        {
            return address;
        }

        return _addresses[instance] = new InstanceAddress(uri, uri.IdnHost, uri.Port);
    }
}

/// <summary>Where an instance listens.</summary>
/// <param name="Uri">What it was read from.</param>
/// <param name="Host">Its host name or address.</param>
/// <param name="Port">Its port, an <see cref="int"/>.</param>
internal sealed record InstanceAddress(Uri Uri, string Host, object Port);
