using Hazumu.Gateway.Admission;

namespace Hazumu.Gateway.Tests.Admission;

public class ModelQueueTests
{
    [Fact]
    public void Keys_take_turns_and_within_a_key_the_first_is_first()
    {
        var queue = new ModelQueue();
        Add(queue, "a1", "a2", "a3", "b1", "b2", "c1");

        Assert.Equal(["a1", "b1", "c1", "a2", "b2", "a3"], TakeAll(queue));
    }

    [Fact]
    public void A_key_that_comes_late_waits_for_one_of_each_other_key()
    {
        var queue = new ModelQueue();
        Add(queue, [.. Enumerable.Range(1, 1_000).Select(number => $"a{number}")]);
        TakeNext(queue);
        Add(queue, "b1", "b2");

        Assert.Equal(["a2", "b1", "a3", "b2", "a4"], Enumerable.Range(0, 5).Select(_ => TakeNext(queue)));
    }

    [Fact]
    public void A_request_that_returns_goes_to_the_front_of_its_own_key()
    {
        var queue = new ModelQueue();
        Add(queue, "b1", "a1", "a2");
        var again = Named("a0");
        again.IsAgain = true;
        queue.Add(again);

        Assert.Equal(["b1", "a0", "a1", "a2"], TakeAll(queue));
    }

    [Fact]
    public void A_request_that_has_left_is_not_counted_and_gets_no_turn()
    {
        var queue = new ModelQueue();
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
        var queue = new ModelQueue();
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
        var queue = new ModelQueue();
        var places = new List<int>();
        foreach (var name in new[] { "a1", "a2", "a3", "b1", "c1", "b2", "a4", "b3" })
        {
            Add(queue, name);
            places.Add(queue.LastPlaceOf(name[..1]));
        }

        Assert.Equal([1, 2, 3, 2, 3, 5, 7, 7], places);
        Assert.Equal(["a1", "b1", "c1", "a2", "b2", "a3", "b3", "a4"], TakeAll(queue));
    }

    [Fact]
    public void The_newest_of_a_key_is_none_that_has_had_an_attempt()
    {
        var queue = new ModelQueue();
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
        var queue = new ModelQueue();
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
