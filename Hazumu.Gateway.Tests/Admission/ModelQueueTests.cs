using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Tests.Admission;

public class ModelQueueTests
{
    [Fact]
    public void Keys_take_turns_and_within_a_key_the_first_is_first()
    {
        var queue = new ModelQueue(() => new());
        Add(queue, "a1", "a2", "a3", "b1", "b2", "c1");

        Assert.Equal(["a1", "b1", "c1", "a2", "b2", "a3"], TakeAll(queue));
    }

    [Fact]
    public void Each_priority_gets_its_share_while_all_wait()
    {
        var queue = new ModelQueue(() => new() { Interactive = 6, Normal = 3, Batch = 1 });
        AddMany(queue, Priority.Batch, Priority.Normal, Priority.Interactive);

        var turns = Enumerable.Range(0, 100).Select(_ => TakeNext(queue)).ToList();

        Assert.InRange(turns.Count(turn => turn == "Interactive"), 59, 61);
        Assert.InRange(turns.Count(turn => turn == "Normal"), 29, 31);
        Assert.InRange(turns.Count(turn => turn == "Batch"), 9, 11);

        // The lowest never waits for longer than its share demands.
        var gaps = turns.Select((turn, at) => (turn, at)).Where(turn => turn.turn == "Batch").Select(turn => turn.at).ToList();
        Assert.All(gaps.Zip(gaps.Skip(1)), gap => Assert.InRange(gap.Second - gap.First, 1, 11));
    }

    [Fact]
    public void The_lowest_priority_is_served_though_higher_ones_keep_coming_one_at_a_time()
    {
        var queue = new ModelQueue(() => new());
        AddMany(queue, Priority.Batch);
        var turns = new List<string>();
        for (var turn = 0; turn < 210; turn++)
        {
            // A client that sends its next request when it has its answer.
            queue.Add(new Ticket("Interactive", 0, "one") { Priority = Priority.Interactive });
            queue.Add(new Ticket("Normal", 0, "two") { Priority = Priority.Normal });
            turns.Add(TakeNext(queue));
        }

        Assert.InRange(turns.Count(turn => turn == "Batch"), 9, 11);
    }

    [Fact]
    public void An_interactive_request_that_comes_late_does_not_wait_for_the_batch()
    {
        var queue = new ModelQueue(() => new());
        AddMany(queue, Priority.Batch);
        _ = Enumerable.Range(0, 50).Select(_ => TakeNext(queue)).ToList();

        var late = new Ticket("Interactive", 0, "me") { Priority = Priority.Interactive };
        queue.Add(late);

        Assert.Equal(1, queue.LastPlaceOf(late));
        Assert.Equal("Interactive", TakeNext(queue));
    }

    [Fact]
    public void A_priority_that_waits_alone_gets_every_turn()
    {
        var queue = new ModelQueue(() => new());
        AddMany(queue, Priority.Batch);

        Assert.All(Enumerable.Range(0, 100), _ => Assert.Equal("Batch", TakeNext(queue)));
    }

    [Fact]
    public void A_key_that_comes_late_waits_for_one_of_each_other_key()
    {
        var queue = new ModelQueue(() => new());
        Add(queue, [.. Enumerable.Range(1, 1_000).Select(number => $"a{number}")]);
        TakeNext(queue);
        Add(queue, "b1", "b2");

        Assert.Equal(["a2", "b1", "a3", "b2", "a4"], Enumerable.Range(0, 5).Select(_ => TakeNext(queue)));
    }

    [Fact]
    public void A_request_that_returns_goes_to_the_front_of_its_own_key()
    {
        var queue = new ModelQueue(() => new());
        Add(queue, "b1", "a1", "a2");
        var again = Named("a0");
        again.IsAgain = true;
        queue.Add(again);

        Assert.Equal(["b1", "a0", "a1", "a2"], TakeAll(queue));
    }

    [Fact]
    public void A_request_that_has_left_is_not_counted_and_gets_no_turn()
    {
        var queue = new ModelQueue(() => new());
        var tickets = Add(queue, "a1", "a2", "b1");

        queue.Remove(tickets[0]);
        queue.Remove(tickets[2]);
        queue.Remove(tickets[2]);

        Assert.Equal(1, queue.Count);
        Assert.Null(tickets[0].Node);
        Assert.Equal(["a2"], TakeAll(queue));
        Assert.Empty(queue.Heads());
    }

    [Fact]
    public void An_expired_request_is_found_behind_returned_ones()
    {
        var queue = new ModelQueue(() => new());
        var tickets = Add(queue, "a2", "a3", "a4", "b1");
        var again = Named("a1");
        again.IsAgain = true;
        queue.Add(again);
        (tickets[0].QueuedAt, tickets[1].QueuedAt, tickets[2].QueuedAt, tickets[3].QueuedAt, again.QueuedAt) = (1, 2, 9, 1, 9);

        var looks = 0;
        var late = queue.Late((ticket, _) =>
        {
            looks++;
            return ticket.QueuedAt < 5;
        });

        Assert.Equal(["a2", "a3", "b1"], late.Select(ticket => ticket.Model));
        Assert.Equal(5, looks);
    }

    [Fact]
    public void A_place_counts_the_turns_between_keys()
    {
        var queue = new ModelQueue(() => new());
        var places = new List<int>();
        foreach (var name in new[] { "a1", "a2", "a3", "b1", "c1", "b2", "a4", "b3" })
        {
            Add(queue, name);
            places.Add(queue.LastPlaceOf(Named(name)));
        }

        Assert.Equal([1, 2, 3, 2, 3, 5, 7, 7], places);
        Assert.Equal(["a1", "b1", "c1", "a2", "b2", "a3", "b3", "a4"], TakeAll(queue));
    }

    [Fact]
    public void The_newest_of_a_key_is_none_that_has_had_an_attempt()
    {
        var queue = new ModelQueue(() => new());
        var tickets = Add(queue, "a1", "a2", "b1");
        Assert.Same(tickets[1], queue.NewestOf("a"));
        Assert.Null(queue.NewestOf("c"));

        tickets[1].IsAgain = true;
        Assert.Same(tickets[0], queue.NewestOf("a"));
        tickets[0].IsAgain = true;
        Assert.Null(queue.NewestOf("a"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(50_000)]
    public void Joining_and_leaving_cost_the_same_however_long_the_queue_is(int keys)
    {
        var queue = new ModelQueue(() => new());
        var tickets = Enumerable.Range(0, 200_000).Select(number => new Ticket("m", 0, $"key{number % keys}")).ToList();
        var limit = System.Diagnostics.Stopwatch.StartNew();

        tickets.ForEach(ticket => queue.Add(ticket));
        for (var i = tickets.Count / 2; i < tickets.Count; i++)
        {
            queue.Remove(tickets[i]);
        }

        while (queue.Count > 0)
        {
            queue.Take(queue.Heads().First(), 0);
        }

        // A search through the queue for each would take minutes.
        Assert.True(limit.Elapsed < TimeSpan.FromSeconds(5), $"It took {limit.Elapsed}.");
    }

    private static void AddMany(ModelQueue queue, params Priority[] priorities)
    {
        foreach (var priority in priorities)
        {
            Enumerable.Range(0, 200).ToList().ForEach(_ => queue.Add(new Ticket($"{priority}", 0, "key") { Priority = priority }));
        }
    }

    private static Ticket Named(string name) => new(name, 0, name[..1]);

    private static List<Ticket> Add(ModelQueue queue, params string[] names)
    {
        var tickets = names.Select(Named).ToList();
        tickets.ForEach(ticket => queue.Add(ticket));
        return tickets;
    }

    private static string TakeNext(ModelQueue queue)
    {
        var next = queue.Heads().First();
        queue.Take(next, 0);
        return next.Model;
    }

    private static IEnumerable<string> TakeAll(ModelQueue queue)
    {
        while (queue.Count > 0)
        {
            yield return TakeNext(queue);
        }
    }
}
