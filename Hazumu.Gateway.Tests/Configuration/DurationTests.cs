using Hazumu.Settings;

namespace Hazumu.Gateway.Tests.Configuration;

public class DurationTests
{
    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("30s", 30)]
    [InlineData("5m", 300)]
    [InlineData("1h", 3_600)]
    [InlineData("2d", 172_800)]
    [InlineData("0s", 0)]
    [InlineData("007s", 7)]
    [InlineData("10000d", 864_000_000)]
    public void A_whole_number_with_a_unit_is_a_duration(string text, double seconds)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromSeconds(seconds), duration);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("-5s")]
    [InlineData("+5s")]
    [InlineData("1.5s")]
    [InlineData("5 s")]
    [InlineData(" 5s")]
    [InlineData("5s\n")]
    [InlineData("5S")]
    [InlineData("5M")]
    [InlineData("1m30s")]
    [InlineData("00:00:30")]
    [InlineData("10001d")]
    [InlineData("2147483647h")]
    [InlineData("99999999999999999999s")]
    [InlineData("５s")]
    public void Nothing_else_is(string? text)
    {
        Assert.False(Duration.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.Zero, duration);
    }

    [Theory]
    [InlineData("1ms")]
    [InlineData("1500ms")]
    [InlineData("90s")]
    [InlineData("15m")]
    [InlineData("36h")]
    [InlineData("7d")]
    public void It_is_written_as_it_was_read(string text)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(text, Duration.Format(duration));
    }

    [Theory]
    [InlineData("120s", "2m")]
    [InlineData("1000ms", "1s")]
    [InlineData("24h", "1d")]
    [InlineData("0d", "0ms")]
    public void It_is_written_in_its_largest_unit(string text, string written)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(written, Duration.Format(duration));
    }
}
