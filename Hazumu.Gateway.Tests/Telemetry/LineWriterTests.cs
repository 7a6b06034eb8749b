using System.Text;
using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Tests.Telemetry;

public sealed class LineWriterTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Fact]
    public void Lines_arrive_whole_and_in_order()
    {
        using var output = new GatedStream();
        using (var lines = new LineWriter(output, _ => Assert.Fail("A line was dropped.")))
        {
            for (var number = 0; number < 20_000; number++)
            {
                lines.Write(Encoding.UTF8.GetBytes($"{number}\n"));
            }
        }

        Assert.Equal(Enumerable.Range(0, 20_000).Select(number => $"{number}"), output.Lines);
    }

    [Fact]
    public void Lines_of_many_threads_do_not_mix()
    {
        using var output = new GatedStream();
        using (var lines = new LineWriter(output, _ => Assert.Fail("A line was dropped.")))
        {
            Parallel.For(0, 2000, number => lines.Write(Encoding.UTF8.GetBytes($"{new string((char)('a' + (number % 26)), 100)}\n")));
        }

        Assert.Equal(2000, output.Lines.Length);
        Assert.All(output.Lines, line => Assert.Equal(new string(line[0], 100), line));
    }

    [Fact]
    public void A_line_after_a_silence_is_written_at_once()
    {
        using var output = new GatedStream();
        using var lines = new LineWriter(output, _ => { });

        lines.Write("first\n"u8);

        Assert.True(SpinWait.SpinUntil(() => output.Lines is ["first"], s_limit));
    }

    [Fact]
    public void Many_lines_take_few_writes()
    {
        using var output = new GatedStream();
        using var lines = new LineWriter(output, _ => { });
        output.Hold();
        lines.Write("first\n"u8);
        Assert.True(output.WaitUntilHeld());

        for (var number = 0; number < 1000; number++)
        {
            lines.Write("more\n"u8);
        }

        output.Open();
        Assert.True(lines.Flush(s_limit));

        Assert.Equal(1001, output.Lines.Length);
        Assert.Equal(2, output.Writes);
    }

    [Fact]
    public void Lines_that_a_slow_reader_misses_are_dropped_and_counted()
    {
        var dropped = 0;
        using var output = new GatedStream();
        using var lines = new LineWriter(output, count => dropped += count);
        output.Hold();
        lines.Write("first\n"u8);
        Assert.True(output.WaitUntilHeld());

        var line = new byte[1024];
        line.AsSpan().Fill((byte)'x');
        line[^1] = (byte)'\n';
        const int Fitting = LineWriter.Capacity / 1024;
        for (var number = 0; number < Fitting + 100; number++)
        {
            lines.Write(line);
        }

        Assert.Equal(100, dropped);
        Assert.False(lines.Flush(TimeSpan.FromMilliseconds(1)));

        output.Open();
        Assert.True(lines.Flush(s_limit));
        Assert.Equal(1 + Fitting, output.Lines.Length);

        lines.Write("last\n"u8);
        Assert.True(lines.Flush(s_limit));
        Assert.Equal("last", output.Lines[^1]);
        Assert.Equal(100, dropped);
    }

    [Fact]
    public void A_flush_waits_for_the_write_under_way()
    {
        using var output = new GatedStream();
        using var lines = new LineWriter(output, _ => { });
        output.Hold();
        lines.Write("first\n"u8);
        Assert.True(output.WaitUntilHeld());

        Assert.False(lines.Flush(TimeSpan.FromMilliseconds(1)));

        output.Open();
        Assert.True(lines.Flush(s_limit));
        Assert.Equal(["first"], output.Lines);
    }

    [Fact]
    public void Lines_that_cannot_be_written_are_counted_and_the_next_are_tried()
    {
        var dropped = 0;
        using var output = new GatedStream { Error = new IOException("Broken pipe") };
        using var lines = new LineWriter(output, count => dropped += count);

        lines.Write("lost\n"u8);
        Assert.True(lines.Flush(s_limit));
        Assert.Equal(1, dropped);

        output.Error = null;
        lines.Write("kept\n"u8);
        Assert.True(lines.Flush(s_limit));
        Assert.Equal(["kept"], output.Lines);
        Assert.Equal(1, dropped);
    }

    [Fact]
    public void A_line_after_the_end_is_counted_as_dropped()
    {
        var dropped = 0;
        using var output = new GatedStream();
        var lines = new LineWriter(output, count => dropped += count);
        lines.Write("kept\n"u8);
        lines.Dispose();

        lines.Write("late\n"u8);

        Assert.Equal(["kept"], output.Lines);
        Assert.Equal(1, dropped);
    }

    [Fact]
    public void A_line_costs_no_allocation()
    {
        using var output = new GatedStream(keeps: false);
        using var lines = new LineWriter(output, _ => { });

        Assert.Equal(0, Allocations.Of(Fill));

        void Fill()
        {
            for (var number = 0; number < 100; number++)
            {
                lines.Write("a line of a log that has some length\n"u8);
            }
        }
    }
}
