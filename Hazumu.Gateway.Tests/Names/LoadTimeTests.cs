using Hazumu.Gateway.Names;
using NodaTime;
using NodaTime.Text;

namespace Hazumu.Gateway.Tests.Names;

public sealed class LoadTimeTests
{
    [Theory]
    [InlineData("07:30", "2026-06-10T12:00:00Z", "2026-06-10T05:30:00Z")]
    [InlineData("07:30", "2026-06-10T05:30:00Z", "2026-06-10T05:30:00Z")]
    [InlineData("07:30", "2026-06-10T05:29:59Z", "2026-06-09T05:30:00Z")]
    [InlineData("07:30 mon-fri", "2026-06-14T12:00:00Z", "2026-06-12T05:30:00Z")]
    [InlineData("07:30 Fri-Mon", "2026-06-10T12:00:00Z", "2026-06-08T05:30:00Z")]
    [InlineData("22:00 sat  sun", "2026-06-10T12:00:00Z", "2026-06-07T20:00:00Z")]
    [InlineData("00:00 wed", "2026-06-10T21:59:00Z", "2026-06-09T22:00:00Z")]
    [InlineData("00:00 wed", "2026-06-09T21:59:00Z", "2026-06-02T22:00:00Z")]

    // The night of the change to summer time has no 02:30, that of the change to winter time has two.
    [InlineData("02:30", "2026-03-29T12:00:00Z", "2026-03-29T01:30:00Z")]
    [InlineData("02:30", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z")]
    public void The_last_time_is_that_of_the_time_zone(string text, string moment, string last) => Assert.Equal(
        InstantPattern.General.Parse(last).Value,
        LoadTime.Parse(text)!.LastBefore(InstantPattern.General.Parse(moment).Value, DateTimeZoneProviders.Tzdb["Europe/Berlin"]));

    [Theory]
    [InlineData("")]
    [InlineData("7:30")]
    [InlineData("24:00")]
    [InlineData("07:30:00")]
    [InlineData("mon")]
    [InlineData("07:30 mon-")]
    [InlineData("07:30 monday")]
    [InlineData("07:30 mon-wed-fri")]
    [InlineData("30 7 * * 1-5")]
    public void What_is_no_time_is_not_read(string text) => Assert.Null(LoadTime.Parse(text));
}
