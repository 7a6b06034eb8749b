using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Tests.Upstreams;

public class DemandRatesTests
{
    [Fact]
    public void A_steady_demand_is_measured()
    {
        var rates = new DemandRates();
        for (var second = 0; second < 600; second++)
        {
            rates.Count("m", second * 1_000L);
            rates.Count("m", (second * 1_000L) + 500);
        }

        Assert.InRange(rates.PerSecond("m", 600_000), 1.9, 2.1);
    }

    [Fact]
    public void It_halves_each_minute_after_the_last_request()
    {
        var rates = new DemandRates();
        rates.Count("m", 1_000);
        var before = rates.PerSecond("m", 1_000);

        Assert.Equal(before / 2, rates.PerSecond("m", 61_000), 6);
        Assert.Equal(before / 4, rates.PerSecond("m", 121_000), 6);
        Assert.Equal(0, rates.PerSecond("other", 1_000));
    }

    [Fact]
    public void Names_that_clients_make_up_do_not_crowd_out_a_model_for_ever()
    {
        var rates = new DemandRates();
        for (var number = 0; number < 5_000; number++)
        {
            rates.Count($"made-up-{number}", 0);
        }

        // Hours later they are worth nothing.
        rates.Count("real", 10_000_000);

        Assert.True(rates.PerSecond("real", 10_000_000) > 0);
    }
}
