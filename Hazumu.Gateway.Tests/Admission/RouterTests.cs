using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Tests.Admission;

public class RouterTests
{
    [Fact]
    public void A_model_goes_where_it_is_in_memory()
    {
        using var fleet = new TestFleet();
        fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        fleet.Load(b, "m");

        Assert.Equal(new Choice(b, IsCold: false), fleet.Choose("m"));
    }

    [Fact]
    public void A_model_that_is_in_no_memory_goes_where_it_is_on_disk()
    {
        using var fleet = new TestFleet();
        fleet.Add("a", "other");
        var b = fleet.Add("b", "m");

        Assert.Equal(new Choice(b, IsCold: true), fleet.Choose("m"));
    }

    [Fact]
    public void A_model_that_only_a_full_instance_has_waits_for_it()
    {
        using var fleet = new TestFleet("Slots=1");
        var a = fleet.Add("a", "m");
        fleet.Add("b", "other");
        fleet.Load(a, "m");
        a.SlotsOf("m").InUse = 1;

        Assert.Null(fleet.Choose("m", waiting: 1_000).Instance);
    }

    [Fact]
    public void An_unknown_model_goes_to_an_instance_which_answers_that()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "other");

        Assert.Equal(new Choice(a, IsCold: false), fleet.Choose("unknown"));
    }

    [Fact]
    public void An_instance_whose_models_are_unknown_may_have_it()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a");
        a.Stored = null;

        Assert.Same(a, fleet.Choose("m").Instance);
    }

    [Fact]
    public void A_request_without_affinity_goes_to_the_least_loaded_instance()
    {
        using var fleet = new TestFleet("Slots=4");
        var (a, b, c) = (fleet.Add("a", "m"), fleet.Add("b", "m"), fleet.Add("c", "m"));
        foreach (var (instance, inUse) in new[] { (a, 2), (b, 1), (c, 3) })
        {
            fleet.Load(instance, "m");
            instance.SlotsOf("m").InUse = inUse;
        }

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void A_conversation_stays_where_it_is_until_there_is_no_slot()
    {
        using var fleet = new TestFleet("Slots=4");
        var instances = new[] { fleet.Add("a", "m"), fleet.Add("b", "m"), fleet.Add("c", "m") };
        Array.ForEach(instances, instance => fleet.Load(instance, "m"));
        var homes = Enumerable.Range(1, 300).ToDictionary(affinity => (ulong)affinity, affinity => fleet.Choose("m", (ulong)affinity).Instance!);

        // Spread over all, and moved neither by load nor by time.
        Assert.All(instances, instance => Assert.InRange(homes.Values.Count(home => home == instance), 60, 140));
        instances[0].SlotsOf("m").InUse = 3;
        fleet.Time.Advance(TimeSpan.FromSeconds(100));
        Assert.All(homes, home => Assert.Same(home.Value, fleet.Choose("m", home.Key).Instance));

        // Who was elsewhere does not move with those that have to.
        instances[0].SlotsOf("m").InUse = 4;
        foreach (var (affinity, home) in homes)
        {
            var now = fleet.Choose("m", affinity).Instance;
            Assert.True(home == instances[0] ? now != home : now == home);
        }

        instances[0].SlotsOf("m").InUse = 0;
        Assert.All(homes, home => Assert.Same(home.Value, fleet.Choose("m", home.Key).Instance));
    }

    [Theory]
    [InlineData(true, 4)]
    [InlineData(false, 700)]
    public void Requests_are_divided_by_the_weights_of_engines(bool isOfNoConversation, int tolerance)
    {
        using var fleet = new TestFleet("Slots=4");
        Instance[] instances = [fleet.Add("a", "m"), fleet.Add("b", "m"), fleet.Add("canary", "m")];
        instances[2].Configure(new() { Weight = 10 }, ModelList.All);
        Array.ForEach(instances, instance => fleet.Load(instance, "m"));

        const int Requests = 21_000;
        var chosen = Enumerable.Range(1, Requests)
            .Select(request => fleet.Choose("m", isOfNoConversation ? 0 : (ulong)request * 7_919).Instance!.Name)
            .CountBy(name => name)
            .ToDictionary();

        Assert.InRange(chosen["a"], 10_000 - tolerance, 10_000 + tolerance);
        Assert.InRange(chosen["b"], 10_000 - tolerance, 10_000 + tolerance);
        Assert.InRange(chosen["canary"], 1_000 - (tolerance / 2), 1_000 + (tolerance / 2));
    }

    [Fact]
    public void A_full_engine_leaves_its_share_to_the_others()
    {
        using var fleet = new TestFleet();
        var (a, b) = (fleet.Add("a", "m"), fleet.Add("b", "m"));
        b.Configure(new() { Weight = 1_000 }, ModelList.All);
        fleet.Load(a, "m");
        fleet.Load(b, "m");
        b.SlotsOf("m").InUse = 1;

        Assert.All(Enumerable.Range(0, 100), affinity => Assert.Same(a, fleet.Choose("m", (ulong)(affinity % 2)).Instance));
    }

    [Fact]
    public void A_conversation_goes_where_its_model_is_in_memory_before_anything_else()
    {
        using var fleet = new TestFleet();
        fleet.Add("a", "m");
        fleet.Load(fleet.Add("b", "m"), "m");

        Assert.All(Enumerable.Range(1, 20), affinity => Assert.Equal("b", fleet.Choose("m", (ulong)affinity).Instance!.Name));
    }

    [Theory]
    [InlineData(4, 2, false)]
    [InlineData(2, 100, false)]
    [InlineData(1, 0, true)]
    public void Another_copy_is_loaded_beside_a_load_that_leaves_no_slot(int slots, int waiting, bool isLoaded)
    {
        using var fleet = new TestFleet($"Slots={slots}");
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        Load(fleet, a);

        Assert.Equal(isLoaded ? new Choice(b, IsCold: true) : default, fleet.Choose("m", waiting: waiting));
    }

    [Fact]
    public void Another_copy_is_loaded_where_the_load_takes_clearly_less()
    {
        using var fleet = new TestFleet("Slots=4");
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        a.SlotsOf("m").SawLoad(60);
        b.SlotsOf("m").SawLoad(5);
        Load(fleet, a);

        Assert.Equal(new Choice(b, IsCold: true), fleet.Choose("m"));
        fleet.Time.Advance(TimeSpan.FromSeconds(56));
        Assert.Null(fleet.Choose("m").Instance);
    }

    [Fact]
    public void A_load_has_ended_when_the_time_has_passed_that_it_takes()
    {
        using var fleet = new TestFleet("Slots=2");
        var a = fleet.Add("a", "m");
        a.SlotsOf("m").SawLoad(20);
        Load(fleet, a);

        fleet.Time.Advance(TimeSpan.FromSeconds(19.9));
        Assert.Null(fleet.Choose("m").Instance);
        fleet.Time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(new Choice(a, IsCold: false), fleet.Choose("m"));
    }

    [Fact]
    public void Another_copy_is_loaded_where_no_slot_has_come_free_for_twice_a_load()
    {
        using var fleet = new TestFleet("Slots=1");
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        fleet.Load(a, "m");
        a.SlotsOf("m").InUse = 1;
        a.SlotsOf("m").LastUsed = fleet.Fleet.Now;
        a.SlotsOf("m").SawService(1);
        b.SlotsOf("m").SawLoad(30);

        fleet.Time.Advance(TimeSpan.FromSeconds(59.9));
        Assert.Null(fleet.Choose("m").Instance);
        fleet.Time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(new Choice(b, IsCold: true), fleet.Choose("m"));
    }

    [Fact]
    public void A_load_at_an_instance_that_failed_since_does_not_hold_up_others()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        a.SlotsOf("m").BeginLoad(fleet.Fleet.Now);
        fleet.Fail(a);

        Assert.Equal(new Choice(b, IsCold: true), fleet.Choose("m"));
    }

    [Theory]
    [InlineData(20, 0, true)]
    [InlineData(0.5, 3, false)]
    [InlineData(0.5, 100, true)]
    public void Another_copy_is_loaded_where_waiting_takes_clearly_longer(double serviceSeconds, int waiting, bool isLoaded)
    {
        using var fleet = new TestFleet("Slots=1");
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        fleet.Load(a, "m");
        a.SlotsOf("m").InUse = 1;
        a.SlotsOf("m").LastUsed = fleet.Fleet.Now;
        a.SlotsOf("m").SawService(serviceSeconds);

        Assert.Equal(isLoaded ? new Choice(b, IsCold: true) : default, fleet.Choose("m", waiting: waiting));
    }

    [Fact]
    public void It_is_loaded_where_there_is_room()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m", "x", "y");
        var b = fleet.Add("b", "m", "x", "y");
        Fill(fleet, a, "x", "y");
        Fill(fleet, b, "x", "y");
        Ask(fleet, 100, "x", "y");
        Unload(b, "y");

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void It_is_loaded_where_it_puts_out_what_is_missed_least()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m", "busy", "x");
        var b = fleet.Add("b", "m", "quiet", "x");
        Fill(fleet, a, "busy", "x");
        Fill(fleet, b, "quiet", "x");
        Ask(fleet, 100, "busy", "x");
        Ask(fleet, 1, "quiet");
        a.SlotsOf("x").LastUsed = b.SlotsOf("x").LastUsed = fleet.Fleet.Now;

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void A_model_that_another_instance_has_too_is_evicted_first()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m", "only");
        var b = fleet.Add("b", "m", "both");
        var c = fleet.Add("c", "both");
        Fill(fleet, a, "only");
        Fill(fleet, b, "both");
        Fill(fleet, c, "both");
        Ask(fleet, 100, "only", "both");

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void A_model_in_use_is_not_evicted()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m", "x");
        var b = fleet.Add("b", "m", "y");
        Fill(fleet, a, "x");
        Fill(fleet, b, "y");
        a.SlotsOf("x").InUse = 1;
        a.SlotsOf("x").SawService(30);

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void It_is_not_loaded_where_another_is_loading()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m", "x");
        var b = fleet.Add("b", "m");
        a.SlotsOf("x").BeginLoad(fleet.Fleet.Now);

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void It_is_loaded_where_that_was_seen_to_be_quick()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        a.SlotsOf("m").SawLoad(60);
        b.SlotsOf("m").SawLoad(5);

        Assert.Same(b, fleet.Choose("m").Instance);
    }

    [Fact]
    public void No_request_goes_to_an_instance_with_an_open_circuit_or_that_left()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        fleet.Load(a, "m");
        fleet.Fail(a);
        Assert.Same(b, fleet.Choose("m").Instance);

        b.IsGone = true;
        Assert.Null(fleet.Choose("m").Instance);
    }

    [Fact]
    public void One_at_a_time_goes_where_the_circuit_is_half_open()
    {
        using var fleet = new TestFleet("Slots=4");
        var a = fleet.Add("a", "m");
        fleet.Fail(a);
        fleet.Time.Advance(TimeSpan.FromMinutes(1));
        fleet.Fleet.OnProbe(a, isUp: true);
        fleet.Load(a, "m");

        Assert.Same(a, fleet.Choose("m").Instance);
        a.Circuit.OnStart();
        Assert.Null(fleet.Choose("m").Instance);
    }

    [Fact]
    public void After_a_failure_it_goes_elsewhere_and_only_after_a_while_back()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        fleet.Load(a, "m");
        fleet.Load(b, "m");
        var ticket = new Ticket("m", 0, "key");

        ticket.Avoid(a.Name, fleet.Fleet.Now);
        Assert.Same(b, fleet.Choose(ticket).Instance);
        ticket.Avoid(b.Name, fleet.Fleet.Now);
        Assert.Null(fleet.Choose(ticket).Instance);

        fleet.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Same(a, fleet.Choose(ticket).Instance);
    }

    [Fact]
    public void After_a_failure_where_it_is_in_memory_it_goes_where_it_is_on_disk()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m");
        var b = fleet.Add("b", "m");
        fleet.Load(a, "m");
        var ticket = new Ticket("m", 0, "key");
        ticket.Avoid(a.Name, fleet.Fleet.Now);

        Assert.Equal(new Choice(b, IsCold: true), fleet.Choose(ticket));
    }

    [Fact]
    public void A_model_not_in_memory_at_the_last_probe_is_cold_until_it_answers()
    {
        using var fleet = new TestFleet();
        var a = fleet.Add("a", "m");
        fleet.Load(a, "m");

        // An answer that came while /api/ps was being read is newer than what it says.
        fleet.Load(a);
        Assert.False(fleet.Choose("m").IsCold);

        fleet.Time.Advance(TimeSpan.FromSeconds(5));
        fleet.Load(a);
        Assert.True(fleet.Choose("m").IsCold);
    }

    // So many have room at once.
    private static void Fill(TestFleet fleet, Instance instance, params string[] models)
    {
        fleet.Load(instance, models);
        foreach (var model in models)
        {
            instance.SlotsOf(model).LastUsed = fleet.Fleet.Now;
            fleet.Time.Advance(TimeSpan.FromMilliseconds(1));
        }
    }

    // As a request does that is sent to an instance without the model.
    private static void Load(TestFleet fleet, Instance instance)
    {
        instance.SlotsOf("m").InUse = 1;
        instance.SlotsOf("m").LastUsed = fleet.Fleet.Now;
        instance.SlotsOf("m").BeginLoad(fleet.Fleet.Now);
    }

    private static void Unload(Instance instance, string model) => instance.SlotsOf(model).IsResident = false;

    private static void Ask(TestFleet fleet, int times, params string[] models)
    {
        for (var i = 0; i < times; i++)
        {
            Array.ForEach(models, model => fleet.Fleet.Rates.Count(model, fleet.Fleet.Now));
        }
    }
}
