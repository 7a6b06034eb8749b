using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Streams;

/// <summary>What one gateway of several in this process has measured.</summary>
internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<Measured> _all = new();

    public Measurements(IMeterFactory factory)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, factory) && instrument.Meter.Name.StartsWith("Hazumu", StringComparison.OrdinalIgnoreCase))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>Measurements of a metric whose attributes are among these, in their order.</summary>
    public IReadOnlyList<Measured> Of(string name, params (string Key, object Value)[] tags) =>
        [.. _all.Where(one => one.Name == name && tags.All(tag => Equals(one.Tags.GetValueOrDefault(tag.Key), tag.Value)))];

    /// <summary>Their sum.</summary>
    public double Sum(string name, params (string Key, object Value)[] tags) => Of(name, tags).Sum(one => one.Value);

    /// <summary>Reads a gauge now.</summary>
    public double Now(string name, params (string Key, object Value)[] tags)
    {
        var before = _all.Count;
        _listener.RecordObservableInstruments();
        return _all.Skip(before).Where(one => one.Name == name && tags.All(tag => Equals(one.Tags.GetValueOrDefault(tag.Key), tag.Value))).Sum(one => one.Value);
    }

    /// <summary>Waits until as many requests are over, and all is measured of them.</summary>
    public Task RequestsAsync(int count) => Wait.UntilAsync(() =>
    {
        // A request leaves the gauge before it is measured; its outcome is counted before the rest is.
        Assert.Equal(count, Of("hazumu.gateway.requests").Count);
    });

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _all.Enqueue(new Measured(instrument.Name, value, tags.ToArray().ToDictionary()));
}

/// <summary>One measurement.</summary>
internal sealed record Measured(string Name, double Value, Dictionary<string, object?> Tags)
{
    public override string ToString() => $"{Name} {Value} {{{string.Join(", ", Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"))}}}";
}
