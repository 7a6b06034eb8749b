using System.Diagnostics;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class RequestRecorderTests : IDisposable
{
    private readonly MeasuredGateway _gateway = new();
    private readonly GatedStream _output = new();
    private readonly RequestTrace _trace = new(TimeProvider.System);
    private readonly ErrorCounter _errors = new();
    private readonly StandardOutput _lines;
    private readonly AccessLog _log;
    private readonly RequestRecorder _recorder;

    public RequestRecorderTests()
    {
        _lines = new StandardOutput(_output);
        _log = new AccessLog(_gateway.Settings, _gateway.Metrics, _gateway.Time, _lines);
        _recorder = new RequestRecorder(_gateway.Metrics, _trace, _log, _errors);
    }

    public void Dispose()
    {
        _lines.Dispose();
        _output.Dispose();
        _trace.Dispose();
        _gateway.Dispose();
    }

    [Fact]
    public void A_request_is_measured_and_logged_once()
    {
        var request = TelemetrySamples.Native();
        _recorder.Begin(request);

        _recorder.Record(request, new DefaultHttpContext());

        Assert.Single(_gateway["hazumu.gateway.requests"]);
        Assert.True(_log.Flush(TimeSpan.FromSeconds(30)));
        Assert.Single(_output.Lines);
        _gateway.Observe();
        Assert.Equal(0, _gateway.Value("hazumu.gateway.in_flight", "dialect", "native"));
    }

    [Fact]
    public void The_end_is_now_unless_it_was_set()
    {
        var request = TelemetrySamples.Native();
        request.Ended = 0;
        var before = Stopwatch.GetTimestamp();

        _recorder.Record(request, new DefaultHttpContext());

        Assert.InRange(request.Ended, before, Stopwatch.GetTimestamp());
    }

    [Fact]
    public void The_end_that_was_said_stays()
    {
        var request = TelemetrySamples.Native();
        var said = request.Ended;

        _recorder.Record(request, new DefaultHttpContext());

        Assert.Equal(said, request.Ended);
    }

    [Fact]
    public void A_failure_to_measure_fails_no_request_and_is_logged_once()
    {
        var recorder = new RequestRecorder(new GatewayMetrics(new SeparateMeterFactory(), new BrokenFleet(), _gateway.Settings, _gateway.Time), _trace, _log, _errors);
        for (var number = 0; number < 3; number++)
        {
            var request = TelemetrySamples.Native();
            recorder.Begin(request);
            recorder.Record(request, new DefaultHttpContext());
        }

        Assert.Equal(1, _errors.Count);
        Assert.True(_log.Flush(TimeSpan.FromSeconds(30)));
        Assert.Equal(3, _output.Lines.Length);
    }

    [Fact]
    public void Every_outcome_of_every_route_can_be_recorded()
    {
        foreach (var (method, path, _) in OperationTable.Routes)
        {
            foreach (var outcome in Enum.GetValues<Outcome>())
            {
                _recorder.Record(TelemetrySamples.Asked(method, path.Replace("*", "x", StringComparison.Ordinal), 0.1, outcome, 0), new DefaultHttpContext());
            }
        }

        Assert.Equal(0, _errors.Count);
    }

    private sealed class BrokenFleet : IFleetGauges
    {
        public IEnumerable<InstanceGauge> Instances => throw new InvalidOperationException();

        public IEnumerable<SlotGauge> Slots => throw new InvalidOperationException();

        public IEnumerable<QueueGauge> Queues => throw new InvalidOperationException();

        public IEnumerable<ResidentModelGauge> ResidentModels => throw new InvalidOperationException();

        public IEnumerable<StaleModelGauge> StaleModels => throw new InvalidOperationException();

        public IEnumerable<PinnedModelGauge> PinnedModels => throw new InvalidOperationException();

        public bool Admits => throw new InvalidOperationException();

        public int Peers => throw new InvalidOperationException();

        public string? FindModel(string name) => throw new InvalidOperationException();
    }

    private sealed class ErrorCounter : ILogger<RequestRecorder>
    {
        public int Count { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Count++;
    }
}
