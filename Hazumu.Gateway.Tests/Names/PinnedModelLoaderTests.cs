using System.Net;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Tests.Admission;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Upstreams;
using Hazumu.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Gateway.Tests.Names;

public sealed class PinnedModelLoaderTests : IDisposable
{
    private readonly KeptLog<PinnedModelLoader> _log = new();
    private readonly Dictionary<Instance, FakeOllama> _engines = [];
    private TestFleet _fleet = null!;
    private PinnedModelLoader _loader = null!;

    [Fact]
    public async Task A_model_is_loaded_for_good_where_it_is_missing()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m");

        await PassAsync();
        await PassAsync();

        Assert.Equal(["load m -1"], a.Requests);
        Assert.Equal(("m", "always", 1, "a", (string?)null), Report());
    }

    [Fact]
    public async Task Requests_for_a_model_wait_while_it_is_loaded()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m");
        Add("b", room: 1, "other");
        var loaded = new TaskCompletionSource();
        a.Answers = loaded.Task;

        var step = PassAsync();
        await Wait.UntilAsync(() => Assert.Single(a.Requests));
        Assert.Null(_fleet.Choose("m:latest").Instance);
        Assert.Equal("'a' loads it", Report().Problem);
        Assert.Null(_fleet.Choose("m:latest", waiting: 1_000).Instance);
        loaded.SetResult();
        await step;

        Assert.Equal(new Choice(_engines.First().Key, IsCold: false), _fleet.Choose("m:latest"));
        Assert.Equal(0, _engines.First().Key.InUse);
    }

    [Fact]
    public async Task Models_are_spread_over_as_many_instances_as_is_set()
    {
        Start("PinnedModels:0:Model=m", "PinnedModels:0:Instances=2", "PinnedModels:1:Model=n");
        Array.ForEach(["a", "b", "c"], name => Add(name, room: 3, "m", "n"));

        for (var turn = 0; turn < 3; turn++)
        {
            await PassAsync();
        }

        Assert.Equal([1, 1, 1], _engines.Values.Select(engine => engine.Memory.Count));
        Assert.Equal(2, _engines.Values.Count(engine => engine.Loaded.Contains("m")));
    }

    [Fact]
    public async Task A_model_is_kept_at_each_engine_that_is_named()
    {
        Start("PinnedModels:0:Model=m", "PinnedModels:0:Engines=a,c", "Engines:a:Url=http://a", "Engines:b:Url=http://b", "Engines:c:Url=http://c");
        var engines = Array.ConvertAll(["a", "b", "c"], name => Add(name, room: 1, "m"));

        await PassAsync();

        Assert.Equal(["m", null, "m"], engines.Select(engine => engine.Loaded.SingleOrDefault()));
    }

    [Fact]
    public async Task A_model_is_loaded_again_after_a_restart()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m");
        await PassAsync();
        await PassAsync();

        var instance = _engines.First().Key;
        a.Memory.Clear();
        _fleet.Fail(instance);
        await PassAsync();
        Assert.Equal("no engine that may keep it is up", Report().Problem);
        _fleet.Fleet.OnProbe(instance, isUp: true);
        _fleet.Time.Advance(TimeSpan.FromMinutes(1));
        _fleet.Fleet.OnProbe(instance, isUp: true);
        await PassAsync();

        Assert.Equal(["load m -1", "load m -1"], a.Requests);
    }

    [Fact]
    public async Task A_model_that_a_client_lets_expire_is_renewed()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m");
        await PassAsync();
        a.Memory[0] = ("m", _fleet.Time.GetUtcNow().AddMinutes(5));

        await PassAsync();
        await PassAsync();

        Assert.Equal(["load m -1", "load m -1"], a.Requests);
    }

    [Fact]
    public async Task A_failed_load_is_tried_again_after_pauses_that_grow_up_to_ten_minutes()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m");
        a.Status = HttpStatusCode.InternalServerError;
        var began = _fleet.Time.GetUtcNow();
        var times = new List<double>();
        while (_fleet.Time.GetUtcNow() - began < TimeSpan.FromHours(1))
        {
            var before = a.Requests.Count;
            await PassAsync();
            times.AddRange(Enumerable.Repeat((_fleet.Time.GetUtcNow() - began).TotalSeconds, a.Requests.Count - before));
        }

        var pauses = times.Zip(times.Skip(1), (first, second) => second - first).ToList();
        Assert.Equal([10, 20, 40, 80, 160, 320, 600, 600, 600, 600], pauses);
        Assert.Equal("'a': it answers /api/generate with 500: no memory", Report().Problem);
    }

    [Fact]
    public async Task Another_instance_loads_a_model_that_the_first_cannot()
    {
        Start("PinnedModels:0:Model=m");
        var (a, b) = (Add("a", room: 1, "m"), Add("b", room: 1, "m"));
        a.Status = HttpStatusCode.InternalServerError;

        await PassAsync();
        await PassAsync();

        await PassAsync();
        Assert.Equal((1, 1), (a.Requests.Count, b.Requests.Count));
        Assert.Equal((1, "b"), (Report().Wanted, Report().Loaded));
    }

    [Fact]
    public async Task Of_two_models_that_do_not_fit_together_the_first_one_stays()
    {
        Start("PinnedModels:0:Model=first", "PinnedModels:1:Model=later");
        var a = Add("a", room: 1, "first", "later");

        for (var turn = 0; turn < 1_000; turn++)
        {
            await PassAsync();
        }

        // That they do not fit is learned once; the one that is listed later makes room.
        Assert.Equal(["load first -1", "load later -1", "unload later 0", "load first -1"], a.Requests);
        Assert.Equal(["first"], a.Loaded);
        Assert.Equal("'a' has no room for it beside 'first'", _loader.Current[1].Problem);
        Assert.Equal("The pinned models 'first:latest' and 'later:latest' do not fit into the memory of 'a' together: 'later:latest', which is listed later, is not loaded there.", Assert.Single(_log.Lines.Where(line => line.Level == LogLevel.Warning).Select(line => line.Message)));
    }

    [Fact]
    public async Task A_model_without_room_beside_another_is_loaded_elsewhere()
    {
        Start("PinnedModels:0:Model=first", "PinnedModels:1:Model=later");
        var a = Add("a", room: 1, "first", "later");
        await PassAsync();
        await PassAsync();
        await PassAsync();
        await PassAsync();
        var b = Add("b", room: 1, "first", "later");

        await PassAsync();
        await PassAsync();

        Assert.Equal(["first", "later"], [a.Loaded.Single(), b.Loaded.Single()]);
    }

    [Fact]
    public async Task A_model_that_requests_for_another_evict_is_loaded_again_after_pauses()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m", "other");
        for (var second = 0; second < 3_600; second += 5)
        {
            a.Memory.Clear();
            await PassAsync();
        }

        Assert.InRange(a.Requests.Count, 8, 13);
    }

    [Fact]
    public async Task A_missing_model_is_pulled_only_where_that_is_set()
    {
        Start("PinnedModels:0:Model=m", "PinnedModels:1:Model=n", "PinnedModels:1:Pull=true", "PinnedModels:1:Instances=2");
        var (a, b) = (Add("a", room: 2), Add("b", room: 2));

        await PassAsync();
        await PassAsync();

        Assert.Equal(["pull n", "load n -1"], a.Requests);
        Assert.Equal(["pull n", "load n -1"], b.Requests);
        Assert.Equal("no engine that may keep it has it: pull it, or set 'Pull'", Report().Problem);
    }

    [Fact]
    public async Task A_model_with_times_is_kept_until_its_time_ends()
    {
        Start("PinnedModels:0:Model=m", "PinnedModels:0:LoadAt=07:30 mon-fri", "PinnedModels:0:KeepFor=2h", "TimeZone=Asia/Tokyo");
        var a = Add("a", room: 1, "m");

        // A Friday, 7:00 in Tokyo.
        _fleet.Time.SetUtcNow(new(2026, 6, 11, 22, 0, 0, TimeSpan.Zero));
        await PassAsync();
        Assert.Empty(a.Requests);
        Assert.Equal(("m", "07:30 mon-fri, for 2h", 0, "", (string?)null), Report());

        _fleet.Time.SetUtcNow(new(2026, 6, 11, 22, 59, 55, TimeSpan.Zero));
        await PassAsync();
        await PassAsync();

        Assert.Equal(["load m 5400"], a.Requests);
        Assert.Equal(1, Report().Wanted);
        _fleet.Time.SetUtcNow(new(2026, 6, 13, 0, 0, 0, TimeSpan.Zero));
        a.Memory.Clear();
        await PassAsync();
        Assert.Equal((1, 0), (a.Requests.Count, Report().Wanted));
    }

    [Fact]
    public async Task A_gateway_that_does_not_admit_loads_nothing()
    {
        Start("PinnedModels:0:Model=m");
        var a = Add("a", room: 1, "m");

        _fleet.Scheduler.Mode = AdmissionMode.Elsewhere;
        await PassAsync();
        Assert.Empty(a.Requests);
        Assert.Equal(1, Report().Wanted);

        _fleet.Scheduler.Mode = AdmissionMode.Open;
        await PassAsync();
        Assert.Single(a.Requests);
    }

    [Fact]
    public async Task An_engine_whose_model_is_always_in_memory_has_nothing_to_load()
    {
        Start("PinnedModels:0:Model=m");
        var engine = Add("a", room: 1, "m");
        _engines.First().Key.Configure(new() { Kind = EngineKind.Vllm }, ModelList.All);
        engine.Memory.Add(("m", DateTimeOffset.MaxValue));

        await PassAsync();

        Assert.Empty(engine.Requests);
        Assert.Equal("a", Report().Loaded);
    }

    [Fact]
    public async Task A_model_is_loaded_where_no_pinned_model_would_be_evicted()
    {
        Start("PinnedModels:0:Model=m");
        var (a, b) = (Add("a", room: 1, "m", "n"), Add("b", room: 1, "n", "o"));
        a.Memory.Add(("m", DateTimeOffset.MaxValue));
        b.Memory.Add(("o", DateTimeOffset.MaxValue));
        Array.ForEach([.. _engines.Keys], instance => _fleet.Load(instance, instance.Name == "a" ? "m:latest" : "o:latest"));

        // Alike, until it is known that one is loaded again when it is evicted.
        Assert.Equal("a", _fleet.Choose("n:latest").Instance!.Name);
        await PassAsync();

        Assert.Equal("b", _fleet.Choose("n:latest").Instance!.Name);
    }

    [Fact]
    public async Task A_restart_is_not_taken_for_models_that_do_not_fit_together()
    {
        Start("PinnedModels:0:Model=first", "PinnedModels:1:Model=later");
        var a = Add("a", room: 2, "first", "later");
        await PassAsync();
        _fleet.Time.Advance(TimeSpan.FromSeconds(5));
        Probe();
        await _loader.StepAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["first", "later"], a.Loaded);

        // Before any probe has seen both in memory.
        a.Memory.Clear();
        _fleet.Fleet.OnProbe(_engines.First().Key, isUp: false);
        _fleet.Fleet.OnProbe(_engines.First().Key, isUp: true);
        await PassAsync();
        await PassAsync();

        Assert.Equal(["first", "later"], a.Loaded);
        Assert.DoesNotContain(_log.Lines, line => line.Level == LogLevel.Warning);
    }

    [Fact]
    public async Task A_change_of_the_settings_has_models_tried_again()
    {
        Start("PinnedModels:0:Model=first", "PinnedModels:1:Model=later");
        var a = Add("a", room: 1, "first", "later");
        for (var turn = 0; turn < 20; turn++)
        {
            await PassAsync();
        }

        a.Requests.Clear();
        _fleet.Set("PinnedModels:0:Model=later");
        await PassAsync();

        Assert.Equal(["load later -1"], a.Requests);
    }

    public void Dispose() => _fleet.Dispose();

    private void Start(params string[] settings)
    {
        _fleet = new TestFleet(settings);
        var monitor = new FleetMonitor(_fleet.Fleet, _fleet.Settings, _fleet.Time, (_, _) => Task.FromResult(Array.Empty<IPAddress>()), NullLogger<FleetMonitor>.Instance);
        _loader = new PinnedModelLoader(new PinnedModels(_fleet.Settings), _fleet.Fleet, monitor, _fleet.Scheduler, _fleet.Settings, _fleet.Time, _log);
    }

    private FakeOllama Add(string name, int room, params string[] models)
    {
        var engine = new FakeOllama(room, [.. models.Select(ModelName.FullNameOf)]) { Time = _fleet.Time };
        var instance = _fleet.Add(name, engine, [.. models.Select(ModelName.FullNameOf)]);
        instance.Configure(new() { Kind = EngineKind.Ollama }, ModelList.All);
        _engines.Add(instance, engine);
        return engine;
    }

    // As the probes do, five seconds later.
    private async Task PassAsync()
    {
        _fleet.Time.Advance(TimeSpan.FromSeconds(5));
        Probe();
        await _loader.StepAsync(TestContext.Current.CancellationToken);
        Probe();
    }

    private void Probe()
    {
        foreach (var (instance, engine) in _engines)
        {
            _fleet.Fleet.OnResident(
                instance, [.. engine.Memory.Select(held => new ResidentModel(ModelName.FullNameOf(held.Model), 1, 1, held.ExpiresAt))], _fleet.Fleet.Now);
        }
    }

    private (string Model, string When, int Wanted, string Loaded, string? Problem) Report()
    {
        var pin = _loader.Current[0];
        return (pin.Model, pin.When, pin.Wanted, string.Join(",", pin.Loaded), pin.Problem);
    }
}
