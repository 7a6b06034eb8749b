using Hazumu.Gateway.Tests.Admission;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Tests.Upstreams;

public class ModelSlotsTests
{
    private readonly ModelSlots _slots = new("m");

    private static IReadOnlyList<string>? CapabilitiesOf(bool? completes) => completes switch { true => ["completion"], false => ["embedding"], null => null };

    [Theory]
    [InlineData("llama", true, 4)]
    [InlineData("qwen35moe", true, 1)]
    [InlineData("nemotron_h", null, 1)]
    [InlineData("bert", false, 1)]
    [InlineData("bert", null, 4)]
    [InlineData(null, null, 4)]
    public void Some_models_have_one_slot_whatever_the_setting(string? family, bool? completes, int slots)
    {
        using var fleet = new TestFleet("Slots=4");
        var instance = fleet.Add("a", "m");
        fleet.Fleet.OnStored(instance, new Dictionary<string, StoredModel> { ["m"] = new("m", 1, Family: family, Capabilities: CapabilitiesOf(completes)) });

        Assert.Equal(slots, instance.LimitOf("m", 4));
        Assert.Equal(4, instance.LimitOf("other", 4));
        fleet.Load(instance, "m");
        instance.SlotsOf("m").InUse = 1;
        Assert.Equal(slots > 1 ? instance : null, fleet.Choose("m").Instance);
    }

    [Fact]
    public void Streams_that_begin_when_another_ends_show_a_single_slot()
    {
        Assert.Equal([false, false, false, false, true, false], InTurns(6));
        Assert.Equal(Concurrency.Serial, _slots.Concurrency);

        _slots.ForgetConcurrency();
        Assert.Equal(Concurrency.Unknown, _slots.Concurrency);
    }

    [Fact]
    public void A_first_byte_that_overtakes_the_end_before_it_shows_a_single_slot()
    {
        var now = 0L;
        _slots.OnStreamBegan(now, now);
        var shown = new List<bool>();
        for (var stream = 0; stream < 5; stream++)
        {
            now += 1_000;
            Assert.False(_slots.OnStreamBegan(now - 1_000, now - 1));
            shown.Add(_slots.OnStreamEnded(now));
        }

        Assert.Equal([false, false, false, false, true], shown);
    }

    [Fact]
    public void Two_streams_at_once_show_that_there_are_slots()
    {
        InTurns(4);
        _slots.OnStreamBegan(100_000, 100_100);
        Assert.False(_slots.OnStreamBegan(100_000, 100_200));
        Assert.False(_slots.OnStreamEnded(101_000));
        Assert.False(_slots.OnStreamEnded(101_000));

        Assert.Equal(Concurrency.Parallel, _slots.Concurrency);
        Assert.All(InTurns(20, 200_000), Assert.False);
    }

    [Theory]
    [InlineData(1_000, 500, 300)]
    [InlineData(50, 500, 0)]
    [InlineData(1_000, 50, 0)]
    public void A_late_first_byte_or_a_short_stream_shows_nothing(int waited, int lasted, int gap)
    {
        var now = 0L;
        for (var stream = 0; stream < 20; stream++)
        {
            Assert.False(_slots.OnStreamBegan(now - waited, now + gap));
            now += gap + lasted;
            _slots.OnStreamEnded(now);
        }

        Assert.Equal(Concurrency.Unknown, _slots.Concurrency);
    }

    // Each is sent when the one before begins, has to wait for its end, and begins then.
    private List<bool> InTurns(int count, long now = 0)
    {
        _slots.OnStreamBegan(now, now);
        var shown = new List<bool>();
        for (var stream = 0; stream < count; stream++)
        {
            var sent = now;
            now += 1_000;
            _slots.OnStreamEnded(now);
            now += 20;
            shown.Add(_slots.OnStreamBegan(sent, now));
        }

        _slots.OnStreamEnded(now + 1_000);
        return shown;
    }
}
