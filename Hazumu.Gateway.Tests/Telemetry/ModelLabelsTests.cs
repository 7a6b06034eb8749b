using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class ModelLabelsTests
{
    [Fact]
    public void Models_beyond_the_cap_fold_into_one_and_those_before_it_stay()
    {
        var labels = new ModelLabels(() => 2);

        Assert.Equal("a", labels.Label("a", isKnown: true));
        Assert.Equal("b", labels.Label("b", isKnown: true));
        Assert.Equal("other", labels.Label("c", isKnown: true));
        Assert.Equal("a", labels.Label("a", isKnown: true));
    }

    [Fact]
    public void Unknown_models_fold_into_one_and_take_no_room()
    {
        var labels = new ModelLabels(() => 1);

        for (var attempt = 0; attempt < 1000; attempt++)
        {
            Assert.Equal("other", labels.Label($"made-up-{attempt}", isKnown: false));
        }

        Assert.Equal("a", labels.Label("a", isKnown: true));
    }

    [Fact]
    public void No_model_has_no_label_and_a_name_too_long_is_none()
    {
        var labels = new ModelLabels(() => 10);

        Assert.Equal("", labels.Label(null, isKnown: false));
        Assert.Equal("", labels.Label("", isKnown: true));
        Assert.Equal("other", labels.Label(new string('a', 10_000), isKnown: true));
    }

    [Fact]
    public void A_raised_cap_makes_room()
    {
        var limit = 1;
        var labels = new ModelLabels(() => limit);
        labels.Label("a", isKnown: true);
        Assert.Equal("other", labels.Label("b", isKnown: true));

        limit = 2;

        Assert.Equal("b", labels.Label("b", isKnown: true));
    }

    [Fact]
    public void The_cap_holds_when_many_come_at_once()
    {
        var labels = new ModelLabels(() => 100);
        var values = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();

        Parallel.For(0, 10_000, number => values[labels.Label($"model-{number % 1000}", isKnown: true)] = true);

        Assert.Equal(101, values.Count);
        Assert.Contains("other", values.Keys);
    }

    [Fact]
    public void A_label_is_always_the_same_string()
    {
        var labels = new ModelLabels(() => 10);
        var first = labels.Label(new string(['a', 'b']), isKnown: true);

        Assert.Same(first, labels.Label(new string(['a', 'b']), isKnown: true));
    }
}
