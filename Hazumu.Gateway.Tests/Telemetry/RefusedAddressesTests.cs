using System.Net;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class RefusedAddressesTests
{
    private readonly MovableClock _clock = new();
    private readonly RefusedAddresses _refused;

    public RefusedAddressesTests() => _refused = new(_clock);

    [Fact]
    public void Most_is_the_count_of_the_address_that_was_refused_most()
    {
        Count(3, Outcome.Unauthorized, "192.0.2.1");
        Count(5, Outcome.Unauthorized, "192.0.2.2");
        Count(4, Outcome.RateLimited, "192.0.2.2");

        Assert.Equal(5, _refused.Most(Outcome.Unauthorized));
        Assert.Equal(4, _refused.Most(Outcome.RateLimited));
        Assert.Equal(0, _refused.Most(Outcome.Forbidden));
    }

    [Fact]
    public void A_refusal_older_than_five_minutes_is_forgotten()
    {
        for (var minute = 0; minute < 8; minute++)
        {
            Count(2, Outcome.Unauthorized, "192.0.2.1");
            _clock.Now += TimeSpan.FromMinutes(1);
        }

        // Four whole minutes, and the one that has begun.
        Assert.Equal(8, _refused.Most(Outcome.Unauthorized));
        _clock.Now += TimeSpan.FromHours(1);
        Assert.Equal(0, _refused.Most(Outcome.Unauthorized));
    }

    [Fact]
    public void One_network_is_one_source_in_IPv6_and_a_mapped_address_is_IPv4()
    {
        Count(1, Outcome.Forbidden, "2001:db8:1:2::1");
        Count(1, Outcome.Forbidden, "2001:db8:1:2:ffff::9");
        Count(1, Outcome.Forbidden, "2001:db8:1:3::1");
        Assert.Equal(2, _refused.Most(Outcome.Forbidden));

        Count(2, Outcome.Forbidden, "192.0.2.1");
        Count(1, Outcome.Forbidden, "::ffff:192.0.2.1");
        Assert.Equal(3, _refused.Most(Outcome.Forbidden));
    }

    [Fact]
    public void Other_outcomes_of_a_request_do_not_count()
    {
        Count(9, Outcome.Success, "192.0.2.1");
        _refused.Count(Outcome.Unauthorized, address: null);

        Assert.All(RefusedAddresses.Outcomes, outcome => Assert.Equal(0, _refused.Most(outcome)));
    }

    [Fact]
    public void More_addresses_than_there_is_room_for_do_no_harm()
    {
        for (uint i = 0; i < RefusedAddresses.Limit + 100; i++)
        {
            _refused.Count(Outcome.Unauthorized, new IPAddress(i));
        }

        Count(4, Outcome.Unauthorized, "255.255.255.255");
        Assert.Equal(1, _refused.Most(Outcome.Unauthorized));
        Count(1, Outcome.Unauthorized, "0.0.0.0");
        Assert.Equal(2, _refused.Most(Outcome.Unauthorized));
    }

    private void Count(int times, Outcome outcome, string address)
    {
        for (var i = 0; i < times; i++)
        {
            _refused.Count(outcome, IPAddress.Parse(address));
        }
    }

    private sealed class MovableClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(56);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
