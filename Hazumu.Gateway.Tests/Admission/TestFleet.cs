using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Tests.Configuration;
using Hazumu.Gateway.Upstreams;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Admission;

/// <summary>A fleet without engines, and a clock that the test turns: routing and admission alone.</summary>
internal sealed class TestFleet : IDisposable
{
    private readonly SettingsFile _file;

    public TestFleet(params string[] settings)
    {
        _file = new SettingsFile(settings);
        Settings = new GatewaySettings(
            () => new ConfigurationBuilder().AddJsonFile(_file.FullPath).Build(), [_file.FullPath], NullLogger<GatewaySettings>.Instance);
        Fleet = new Fleet(Settings, Time);
        Scheduler = new Scheduler(Fleet, Settings, Time);
    }

    public FakeTimeProvider Time { get; } = new();

    public GatewaySettings Settings { get; }

    public Fleet Fleet { get; }

    public Scheduler Scheduler { get; }

    /// <summary>Changes settings, as a reload does.</summary>
    public void Set(params string[] settings)
    {
        _file.Set(settings);
        Settings.ReloadIfChanged();
    }

    /// <summary>Adds an instance that is up and has models of a gigabyte on its disk.</summary>
    public Instance Add(string name, params string[] models) => Add(name, new SocketsHttpHandler(), models);

    /// <summary>Adds such an instance, whose requests a handler answers.</summary>
    public Instance Add(string name, HttpMessageHandler engine, params string[] models)
    {
        var instance = new Instance(name, new Uri($"http://{name}:11434"), null, engine);
        Fleet.SetInstances([.. Fleet.Instances, instance]);
        Fleet.OnStored(instance, models.ToDictionary(model => model, model => new StoredModel(model, 1_000_000_000)));
        Fleet.OnProbe(instance, isUp: true);
        return instance;
    }

    /// <summary>Has <c>/api/ps</c> tell which models are in an instance's memory.</summary>
    public void Load(Instance instance, params string[] models) =>
        Fleet.OnResident(instance, [.. models.Select(model => new ResidentModel(model, 1, 1, default))], Fleet.Now);

    /// <summary>Opens an instance's circuit.</summary>
    public void Fail(Instance instance)
    {
        for (var failures = Settings.Current.Fleet.FailureThreshold; failures > 0; failures--)
        {
            Fleet.OnProbe(instance, isUp: false);
        }

        Assert.Equal(CircuitState.Open, instance.Circuit.State);
    }

    public Choice Choose(Ticket ticket, int waiting = 0)
    {
        lock (Fleet.Gate)
        {
            return Router.Choose(Fleet, ticket, Settings.Current.Slots, waiting);
        }
    }

    public Choice Choose(string model, ulong affinity = 0, int waiting = 0) => Choose(new Ticket(model, affinity, "key"), waiting);

    /// <summary>Lets time pass, and the scheduler look at its clock.</summary>
    public void Pass(TimeSpan time)
    {
        Time.Advance(time);
        Scheduler.Tick();
    }

    public void Dispose()
    {
        Scheduler.Dispose();
        Settings.Dispose();
        _file.Dispose();
        foreach (var instance in Fleet.Instances)
        {
            instance.Dispose();
        }
    }
}
