using System.Diagnostics.Metrics;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>The gateway's metrics, and every measurement that comes of them.</summary>
internal sealed class MeasuredGateway : IDisposable
{
    private readonly SeparateMeterFactory _meters = new();
    private readonly MeterListener _listener = new();
    private readonly List<Measured> _measured = [];

    public MeasuredGateway()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, _meters))
            {
                Instruments.Add(instrument);
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();

        Settings = new TelemetrySettings(() => Options);
        Metrics = new GatewayMetrics(_meters, Fleet, Settings, Time);
    }

    public FakeFleet Fleet { get; } = new();

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 8, 24, 9, 30, 5, 120, TimeSpan.Zero));

    public TelemetryOptions Options { get; } = new();

    public TelemetrySettings Settings { get; }

    public GatewayMetrics Metrics { get; }

    public List<Instrument> Instruments { get; } = [];

    /// <summary>Measures a request, and nothing that was measured before.</summary>
    public void Record(GatewayRequest request)
    {
        _measured.Clear();
        Metrics.Record(request, RequestPhases.Of(request));
    }

    /// <summary>Reads all gauges, and nothing that was measured before.</summary>
    public void Observe()
    {
        _measured.Clear();
        _listener.RecordObservableInstruments();
    }

    /// <summary>All measurements of a metric, as <c>value {attribute=value, …}</c>; attributes by name, values to the microsecond.</summary>
    public IReadOnlyList<string> this[string name] => [.. _measured.Where(one => one.Name == name).Select(one => one.ToString())];

    /// <summary>The value of the only measurement of a metric that has an attribute.</summary>
    public double Value(string name, string key, object value) =>
        Assert.Single(_measured, one => one.Name == name && Equals(one.Tags.GetValueOrDefault(key), value)).Value;

    /// <summary>Metrics that were measured.</summary>
    public IReadOnlySet<string> Names => _measured.Select(one => one.Name).ToHashSet();

    public void Dispose()
    {
        _listener.Dispose();
        _meters.Dispose();
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        // OpenTelemetry allocates for more.
        Assert.True(tags.Length <= 8, $"{instrument.Name} has {tags.Length} attributes.");
        _measured.Add(new Measured(instrument.Name, value, tags.ToArray().ToDictionary()));
    }

    private sealed record Measured(string Name, double Value, Dictionary<string, object?> Tags)
    {
        public override string ToString() =>
            $"{Math.Round(Value, 6)} {{{string.Join(", ", Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"))}}}";
    }
}
