using System.Diagnostics;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Gateway.Upstreams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Admission;

public sealed class SchedulerTests
{
    // However busy the machine is.
    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task As_many_requests_run_as_there_are_slots_and_the_first_queued_is_next()
    {
        using var fleet = Warm("Slots=2");
        var first = await Lease(fleet, "m");
        _ = await Lease(fleet, "m");

        var third = Ask(fleet, "m");
        Assert.Equal(1, fleet.Scheduler.Waiting);

        first.Release(LeaseEnd.Answered);
        Assert.NotNull((await Soon(third)).Lease);
        Assert.Equal(0, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_slot_that_is_given_back_twice_is_free_once()
    {
        using var fleet = Warm("Slots=1");
        var first = await Lease(fleet, "m");

        first.Release(LeaseEnd.Answered);
        first.Release(LeaseEnd.Undecided);
        _ = await Lease(fleet, "m");

        _ = Ask(fleet, "m");
        Assert.Equal(1, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task Each_queued_request_gets_its_position()
    {
        using var fleet = Warm("Slots=1");
        var running = Ticket("m");
        await fleet.Scheduler.AcquireAsync(running, default);
        var waiting = Enumerable.Range(0, 3).Select(_ => Ticket("m")).ToList();
        waiting.ForEach(ticket => _ = fleet.Scheduler.AcquireAsync(ticket, default).AsTask());

        Assert.Equal(0, running.Position);
        Assert.Equal([1, 2, 3], waiting.Select(ticket => ticket.Position));
        Assert.Equal([("m", 3)], fleet.Scheduler.WaitingByModel());
    }

    [Fact]
    public async Task The_queue_limit_counts_all_models_together()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=2");
        await Lease(fleet, "m");
        await Lease(fleet, "n");
        _ = Ask(fleet, "m");
        _ = Ask(fleet, "n");

        var refused = await Soon(Ask(fleet, "n"));

        Assert.Null(refused.Lease);
        Assert.Equal(AdmissionStatus.QueueFull, refused.Status);
        Assert.InRange(refused.RetryAfter, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60));
        Assert.Equal(2, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_key_that_fills_the_queue_does_not_shut_out_others()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=10");
        await Lease(fleet, "m");
        await Lease(fleet, "n");
        var greedy = new List<Task<SlotDecision>>();
        for (var number = 0; number < 10; number++)
        {
            fleet.Time.Advance(TimeSpan.FromMilliseconds(1));
            greedy.Add(Ask(fleet, number % 3 == 0 ? "n" : "m", "greedy"));
        }

        Assert.Equal(AdmissionStatus.QueueFull, (await Soon(Ask(fleet, "m", "greedy"))).Status);

        // The newest of the key with the most make room, until both have their share.
        var modest = Enumerable.Range(0, 5).Select(_ => Ask(fleet, "m", "modest")).ToList();
        Assert.All(greedy[..5], task => Assert.False(task.IsCompleted));
        Assert.All(await Task.WhenAll(greedy[5..]).WaitAsync(s_soon), admission => Assert.Equal(AdmissionStatus.QueueFull, admission.Status));
        Assert.All(modest, task => Assert.False(task.IsCompleted));
        Assert.Equal(10, fleet.Scheduler.Waiting);

        Assert.Equal(AdmissionStatus.QueueFull, (await Soon(Ask(fleet, "m", "modest"))).Status);
        Assert.False(Ask(fleet, "m", "third").IsCompleted);
        Assert.Equal(10, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_request_that_made_room_for_another_needs_room_the_next_time()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=2");
        await Lease(fleet, "m");
        _ = Ask(fleet, "m", "greedy");
        var newest = Ticket("m", "greedy");
        var evicted = fleet.Scheduler.AcquireAsync(newest, default).AsTask();
        _ = Ask(fleet, "m", "modest");
        Assert.Equal(AdmissionStatus.QueueFull, (await Soon(evicted)).Status);

        var again = await Soon(fleet.Scheduler.AcquireAsync(newest, default).AsTask());
        Assert.Equal(AdmissionStatus.QueueFull, again.Status);
        Assert.Equal(2, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task Requests_of_lower_priority_are_no_long_queue()
    {
        using var fleet = Warm("Slots=1");
        await Lease(fleet, "m");
        _ = AskOfChain(Priority.Batch);

        var (normal, waiting) = AskOfChain(Priority.Normal);
        var (batch, served) = AskOfChain(Priority.Batch);

        Assert.Equal(("m", false), (normal.Model, waiting.IsCompleted));
        Assert.Equal(("n", FallbackReason.Queue), (batch.Model, batch.Fallback));
        Assert.NotNull((await Soon(served)).Lease);

        (Ticket Ticket, Task<SlotDecision> Decision) AskOfChain(Priority priority)
        {
            var ticket = new Ticket("x", 0, "key") { Chain = ["m", "n"], QueueLongerThan = 0, Priority = priority };
            return (ticket, fleet.Scheduler.AcquireAsync(ticket, default).AsTask());
        }
    }

    [Fact]
    public async Task Sixteen_short_requests_wait_in_the_place_of_another()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=2");
        await Lease(fleet, "m");
        var shorts = Enumerable.Range(0, 32).Select(_ => AskShort(fleet, "files")).ToList();
        Assert.Equal(AdmissionStatus.QueueFull, (await Soon(AskShort(fleet, "files"))).Status);

        Assert.False(Ask(fleet, "m", "chat").IsCompleted);

        Assert.Equal(17, fleet.Scheduler.Waiting);
        Assert.All(shorts[..16], task => Assert.False(task.IsCompleted));
        Assert.All(await Task.WhenAll(shorts[16..]).WaitAsync(s_soon), decision => Assert.Equal(AdmissionStatus.QueueFull, decision.Status));
    }

    [Fact]
    public async Task Short_requests_wait_past_the_deadline_while_their_key_is_served()
    {
        using var fleet = Warm("Slots=1", "Queue:Timeout=30s");
        var running = await Lease(fleet, "m");
        var shorts = Enumerable.Range(0, 5).Select(_ => AskShort(fleet, "files")).ToList();
        var chat = Ask(fleet, "m", "files");

        foreach (var next in shorts[..3])
        {
            fleet.Pass(TimeSpan.FromSeconds(20));
            running.Release(LeaseEnd.Answered);
            running = (await Soon(next)).Lease!;
        }

        // A minute for all, which is too long for a chat.
        Assert.Equal(AdmissionStatus.QueueTimeout, (await Soon(chat)).Status);
        Assert.Equal(2, fleet.Scheduler.Waiting);
        fleet.Pass(TimeSpan.FromSeconds(29.9));
        Assert.Equal(2, fleet.Scheduler.Waiting);
        fleet.Pass(TimeSpan.FromSeconds(0.1));
        Assert.Equal(0, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_retry_is_first_and_not_refused_by_a_full_queue()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=1");
        var retried = Ticket("m");
        var lease = (await fleet.Scheduler.AcquireAsync(retried, default)).Lease!;
        var waiting = Ask(fleet, "m");

        // Between the two another one got the slot.
        retried.Avoid(lease.Instance.Name, fleet.Fleet.Now);
        lease.Release(LeaseEnd.Undecided);
        var other = await Soon(waiting);
        var later = Ask(fleet, "m");
        var again = fleet.Scheduler.AcquireAsync(retried, default).AsTask();
        Assert.Equal(2, fleet.Scheduler.Waiting);

        fleet.Time.Advance(TimeSpan.FromSeconds(2));
        other.Lease!.Release(LeaseEnd.Answered);

        Assert.NotNull((await Soon(again)).Lease);
        Assert.False(later.IsCompleted);
    }

    [Fact]
    public async Task Retry_after_grows_with_the_time_that_requests_take()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=4");
        var lease = await Lease(fleet, "m");
        fleet.Time.Advance(TimeSpan.FromSeconds(10));
        lease.OnFirstByte();
        lease.Release(LeaseEnd.Answered);

        await Lease(fleet, "m");
        Enumerable.Range(0, 4).ToList().ForEach(_ => Ask(fleet, "m"));
        var refused = await Soon(Ask(fleet, "m"));

        Assert.Equal(TimeSpan.FromSeconds(40), refused.RetryAfter);
    }

    [Fact]
    public async Task A_queued_request_is_refused_at_its_deadline_and_not_before()
    {
        using var fleet = Warm("Slots=1", "Queue:Timeout=30s");
        await Lease(fleet, "m");
        var first = Ask(fleet, "m");
        fleet.Pass(TimeSpan.FromSeconds(20));
        var second = Ask(fleet, "m");

        fleet.Pass(TimeSpan.FromMilliseconds(9_999));
        Assert.Equal(2, fleet.Scheduler.Waiting);

        fleet.Pass(TimeSpan.FromMilliseconds(1));
        Assert.Equal(AdmissionStatus.QueueTimeout, (await Soon(first)).Status);
        Assert.False(second.IsCompleted);
    }

    [Fact]
    public async Task The_deadline_holds_for_every_key()
    {
        using var fleet = Warm("Slots=1", "Queue:Timeout=30s");
        await Lease(fleet, "m");
        var young = Ask(fleet, "m", "a");
        fleet.Time.Advance(TimeSpan.FromSeconds(1));
        var waiting = Enumerable.Range(0, 5).Select(number => Ask(fleet, "m", $"b{number}")).ToList();

        fleet.Pass(TimeSpan.FromSeconds(30));

        Assert.All(await Task.WhenAll([young, .. waiting]).WaitAsync(s_soon), admission => Assert.Equal(AdmissionStatus.QueueTimeout, admission.Status));
    }

    [Fact]
    public async Task Time_in_an_attempt_that_failed_is_no_time_in_the_queue()
    {
        using var fleet = Warm("Slots=1", "Queue:Timeout=30s");
        var retried = Ticket("m");
        var lease = (await fleet.Scheduler.AcquireAsync(retried, default)).Lease!;

        // It loaded for minutes before it broke off, and somebody else holds the only slot now.
        fleet.Pass(TimeSpan.FromMinutes(4));
        lease.Release(LeaseEnd.Undecided);
        var other = await Lease(fleet, "m");
        var again = fleet.Scheduler.AcquireAsync(retried, default).AsTask();
        var behind = Ask(fleet, "m");

        fleet.Pass(TimeSpan.FromSeconds(29));
        Assert.Equal(2, fleet.Scheduler.Waiting);

        fleet.Pass(TimeSpan.FromSeconds(1));
        Assert.Equal(AdmissionStatus.QueueTimeout, (await Soon(again)).Status);
        Assert.Equal(AdmissionStatus.QueueTimeout, (await Soon(behind)).Status);
        other.Release(LeaseEnd.Answered);
    }

    [Fact]
    public async Task While_no_instance_can_be_reached_the_shorter_deadline_holds()
    {
        using var fleet = Warm("Slots=1", "Queue:Timeout=2m", "Queue:OutageTimeout=10s");
        fleet.Fail(fleet.Fleet.Instances[0]);
        var waiting = Ask(fleet, "m");
        fleet.Scheduler.Tick();

        fleet.Pass(TimeSpan.FromMilliseconds(9_900));
        Assert.Equal(1, fleet.Scheduler.Waiting);

        fleet.Pass(TimeSpan.FromMilliseconds(200));
        Assert.Equal(AdmissionStatus.EngineUnreachable, (await Soon(waiting)).Status);
    }

    [Fact]
    public async Task An_outage_is_counted_from_its_beginning_and_not_from_that_of_the_wait()
    {
        using var fleet = Warm("Slots=1", "Queue:Timeout=2m", "Queue:OutageTimeout=10s");
        await Lease(fleet, "m");
        var waiting = Ask(fleet, "m");
        fleet.Pass(TimeSpan.FromSeconds(60));

        // The engine restarts, and is back after 5 s.
        var instance = fleet.Fleet.Instances[0];
        fleet.Fail(instance);
        fleet.Pass(TimeSpan.FromMilliseconds(100));
        fleet.Pass(TimeSpan.FromSeconds(5));
        Assert.Equal(1, fleet.Scheduler.Waiting);

        // It dies again, for good.
        fleet.Fleet.OnProbe(instance, isUp: true);
        fleet.Pass(TimeSpan.FromMilliseconds(100));
        fleet.Fleet.OnProbe(instance, isUp: false);
        fleet.Pass(TimeSpan.FromMilliseconds(100));
        fleet.Pass(TimeSpan.FromSeconds(9));
        Assert.Equal(1, fleet.Scheduler.Waiting);

        fleet.Pass(TimeSpan.FromSeconds(2));
        Assert.Equal(AdmissionStatus.EngineUnreachable, (await Soon(waiting)).Status);
    }

    [Fact]
    public async Task An_outage_that_has_lasted_refuses_at_once()
    {
        using var fleet = Warm("Queue:OutageTimeout=10s", "Fleet:OpenFor=60s");
        var instance = fleet.Fleet.Instances[0];
        fleet.Fail(instance);
        fleet.Time.Advance(TimeSpan.FromSeconds(9));
        var early = Ask(fleet, "m");
        Assert.False(early.IsCompleted);

        fleet.Pass(TimeSpan.FromSeconds(1));
        Assert.Equal(AdmissionStatus.EngineUnreachable, (await Soon(early)).Status);
        var late = Ask(fleet, "m");
        Assert.True(late.IsCompleted);
        Assert.Equal((AdmissionStatus.EngineUnreachable, TimeSpan.FromSeconds(1)), ((await late).Status, (await late).RetryAfter));

        // However long the circuit would be open: the instance itself has come back.
        fleet.Fleet.OnProbe(instance, isUp: true);
        Assert.NotNull((await Soon(Ask(fleet, "m"))).Lease);
    }

    [Fact]
    public async Task An_instance_whose_trials_fail_does_not_begin_its_outage_anew()
    {
        using var fleet = Warm("Slots=1", "Queue:OutageTimeout=10s", "Fleet:OpenFor=5s", "Fleet:FailureThreshold=1");
        var instance = fleet.Fleet.Instances[0];
        (await Lease(fleet, "m")).Release(LeaseEnd.Failed);
        fleet.Time.Advance(TimeSpan.FromSeconds(9));
        fleet.Fleet.OnProbe(instance, isUp: true);
        (await Lease(fleet, "m")).Release(LeaseEnd.Failed);

        Assert.False(Ask(fleet, "m").IsCompleted);
        fleet.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(AdmissionStatus.EngineUnreachable, (await Soon(Ask(fleet, "m"))).Status);
    }

    [Fact]
    public async Task A_trial_that_has_begun_to_answer_closes_the_circuit()
    {
        using var fleet = Warm("Slots=4", "Fleet:OpenFor=5s");
        var instance = fleet.Fleet.Instances[0];
        fleet.Fail(instance);
        fleet.Fleet.OnProbe(instance, isUp: true);
        fleet.Load(instance, "m", "n");
        var trial = await Lease(fleet, "m");
        var waiting = Ask(fleet, "n");
        Assert.Equal(1, fleet.Scheduler.Waiting);

        trial.OnFirstByte();

        Assert.Equal(CircuitState.Closed, instance.Circuit.State);
        Assert.NotNull((await Soon(waiting)).Lease);
    }

    [Fact]
    public async Task A_trial_that_has_loaded_its_model_closes_the_circuit()
    {
        using var fleet = Warm("Slots=2");
        var instance = fleet.Fleet.Instances[0];
        fleet.Fail(instance);
        fleet.Fleet.OnProbe(instance, isUp: true);
        var trial = await Lease(fleet, "m");
        Assert.True(trial.IsCold);
        var waiting = Ask(fleet, "m");
        fleet.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(CircuitState.HalfOpen, instance.Circuit.State);

        // Its answer is not streamed, and far away.
        fleet.Load(instance, "m");

        Assert.Equal(CircuitState.Closed, instance.Circuit.State);
        Assert.NotNull((await Soon(waiting)).Lease);
    }

    [Fact]
    public async Task A_model_whose_only_instance_is_down_does_not_wait_for_others()
    {
        using var fleet = new TestFleet("Queue:OutageTimeout=10s");
        var a = fleet.Add("a", "m");
        fleet.Add("b", "n");
        fleet.Fail(a);

        var waiting = Ask(fleet, "m");
        fleet.Scheduler.Tick();
        fleet.Pass(TimeSpan.FromSeconds(11));

        Assert.Equal(AdmissionStatus.EngineUnreachable, (await Soon(waiting)).Status);
    }

    [Fact]
    public async Task Without_any_instance_no_request_waits()
    {
        using var fleet = new TestFleet();

        Assert.Equal(AdmissionStatus.EngineUnreachable, (await Soon(Ask(fleet, "m"))).Status);
    }

    [Fact]
    public async Task A_cancelled_request_leaves_the_queue_and_the_next_moves_up()
    {
        using var fleet = Warm("Slots=1");
        var lease = await Lease(fleet, "m");
        using var cancel = new CancellationTokenSource();
        var gone = fleet.Scheduler.AcquireAsync(Ticket("m"), cancel.Token).AsTask();
        var next = Ask(fleet, "m");

        await cancel.CancelAsync();

        Assert.Equal(1, fleet.Scheduler.Waiting);
        Assert.Equal(AdmissionStatus.Cancelled, (await Soon(gone)).Status);
        lease.Release(LeaseEnd.Answered);
        Assert.NotNull((await Soon(next)).Lease);
    }

    [Fact]
    public async Task A_request_cancelled_after_its_grant_still_gets_the_slot_to_release()
    {
        using var fleet = Warm("Slots=1");
        var lease = await Lease(fleet, "m");
        using var cancel = new CancellationTokenSource();
        var late = fleet.Scheduler.AcquireAsync(Ticket("m"), cancel.Token).AsTask();

        lease.Release(LeaseEnd.Answered);
        await cancel.CancelAsync();

        Assert.NotNull((await Soon(late)).Lease);
    }

    [Fact]
    public async Task A_request_cancelled_before_it_queues_is_not_counted()
    {
        using var fleet = Warm();

        var admission = await fleet.Scheduler.AcquireAsync(Ticket("m"), new CancellationToken(canceled: true));

        Assert.Equal(AdmissionStatus.Cancelled, admission.Status);
        Assert.Equal(0, fleet.Fleet.Rates.PerSecond("m", fleet.Fleet.Now));
    }

    [Fact]
    public async Task Closing_refuses_all_queued_and_later_requests()
    {
        using var fleet = Warm("Slots=1");
        await Lease(fleet, "m");
        await Lease(fleet, "n");
        var waiting = Enumerable.Range(0, 100).Select(number => Ask(fleet, number % 2 == 0 ? "m" : "n", $"key{number % 7}")).ToList();

        fleet.Scheduler.Close();

        Assert.Equal(0, fleet.Scheduler.Waiting);
        Assert.Empty(fleet.Scheduler.WaitingByModel());
        Assert.All(await Task.WhenAll(waiting).WaitAsync(s_soon), admission => Assert.Equal(AdmissionStatus.ShuttingDown, admission.Status));
        Assert.Equal(AdmissionStatus.ShuttingDown, (await Soon(Ask(fleet, "m"))).Status);
    }

    [Fact]
    public async Task Slots_that_a_reload_adds_are_used_at_once()
    {
        using var fleet = Warm("Slots=1");
        var first = await Lease(fleet, "m");
        var waiting = Enumerable.Range(0, 5).Select(_ => Ask(fleet, "m")).ToList();

        fleet.Set("Slots=4");

        Assert.Equal(2, fleet.Scheduler.Waiting);
        Assert.All(await Task.WhenAll(waiting.Take(3)).WaitAsync(s_soon), admission => Assert.NotNull(admission.Lease));

        // Fewer again: nobody comes before enough have gone.
        fleet.Set("Slots=2");
        first.Release(LeaseEnd.Answered);
        (await waiting[0]).Lease!.Release(LeaseEnd.Answered);
        Assert.Equal(2, fleet.Scheduler.Waiting);
        (await waiting[1]).Lease!.Release(LeaseEnd.Answered);
        Assert.Equal(1, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_model_is_loaded_for_one_and_the_others_come_when_it_has_answered()
    {
        using var fleet = new TestFleet("Slots=3");
        fleet.Add("a", "m");

        var loading = await Lease(fleet, "m");
        Assert.True(loading.IsCold);
        var waiting = Enumerable.Range(0, 4).Select(_ => Ask(fleet, "m")).ToList();
        Assert.Equal(4, fleet.Scheduler.Waiting);

        loading.OnFirstByte();

        Assert.Equal(2, fleet.Scheduler.Waiting);
        var admitted = await Task.WhenAll(waiting.Take(2)).WaitAsync(s_soon);
        Assert.All(admitted, admission => Assert.False(admission.Lease!.IsCold));
        Assert.All(admitted, admission => Assert.Same(loading.Instance, admission.Lease!.Instance));
    }

    [Fact]
    public async Task Requests_that_wait_for_a_load_get_slots_when_memory_shows_the_model()
    {
        using var fleet = new TestFleet("Slots=3");
        var a = fleet.Add("a", "m");
        var loading = await Lease(fleet, "m");
        var waiting = Enumerable.Range(0, 4).Select(_ => Ask(fleet, "m")).ToList();

        // What was asked before the load began does not speak of it.
        fleet.Fleet.OnResident(a, [new("m", 1, 1, default)], fleet.Fleet.Now - 1);
        Assert.Equal(4, fleet.Scheduler.Waiting);
        fleet.Time.Advance(TimeSpan.FromSeconds(1));
        fleet.Load(a, "m");

        Assert.Equal(2, fleet.Scheduler.Waiting);
        Assert.All(await Task.WhenAll(waiting.Take(2)).WaitAsync(s_soon), admission => Assert.False(admission.Lease!.IsCold));
        Assert.False(loading.HasAnswered);
        Assert.Empty(fleet.Fleet.Loading());
    }

    [Fact]
    public async Task Requests_that_wait_for_a_load_get_slots_when_the_time_of_a_load_has_passed()
    {
        using var fleet = new TestFleet("Slots=2");
        var a = fleet.Add("a", "m");
        a.SlotsOf("m").SawLoad(20);
        await Lease(fleet, "m");
        var waiting = Ask(fleet, "m");

        fleet.Pass(TimeSpan.FromSeconds(19.9));
        Assert.Equal(1, fleet.Scheduler.Waiting);
        fleet.Pass(TimeSpan.FromSeconds(0.1));

        Assert.Same(a, (await Soon(waiting)).Lease!.Instance);
    }

    [Fact]
    public async Task A_load_that_only_memory_shows_is_no_time_of_the_answer()
    {
        using var fleet = new TestFleet("Slots=1");
        var a = fleet.Add("a", "m");
        var loading = await Lease(fleet, "m");
        fleet.Time.Advance(TimeSpan.FromSeconds(20));
        fleet.Load(a, "m");
        fleet.Time.Advance(TimeSpan.FromSeconds(3));

        // Not streamed: the first byte comes with the last.
        loading.OnFirstByte();
        loading.Release(LeaseEnd.Answered);

        Assert.Equal((20, 3), (a.SlotsOf("m").LoadSeconds, a.SlotsOf("m").ServiceSeconds));
    }

    [Theory]
    [InlineData(LeaseEnd.Failed)]
    [InlineData(LeaseEnd.Undecided)]
    [InlineData(LeaseEnd.Answered)]
    public async Task A_load_that_came_to_nothing_is_tried_by_the_next(object end)
    {
        using var fleet = new TestFleet("Slots=1");
        fleet.Add("a", "m");
        var loading = await Lease(fleet, "m");
        var next = Ask(fleet, "m");

        // Answered, without a byte: a refusal.
        loading.Release((LeaseEnd)end);

        Assert.True((await Soon(next)).Lease!.IsCold);
    }

    [Fact]
    public async Task A_model_that_the_request_unloads_is_cold_for_the_next()
    {
        using var fleet = Warm("Slots=1");
        var lease = await Lease(fleet, "m");
        Assert.False(lease.IsCold);

        lease.Unloads = true;
        lease.OnFirstByte();
        lease.Release(LeaseEnd.Answered);

        Assert.True((await Lease(fleet, "m")).IsCold);
    }

    [Fact]
    public async Task An_instance_that_comes_back_gets_one_and_then_all()
    {
        using var fleet = Warm("Slots=4", "Fleet:OpenFor=5s");
        var instance = fleet.Fleet.Instances[0];
        fleet.Fail(instance);
        var waiting = Enumerable.Range(0, 10).Select(_ => Ask(fleet, "m")).ToList();
        fleet.Pass(TimeSpan.FromSeconds(5));
        Assert.Equal(10, fleet.Scheduler.Waiting);

        fleet.Fleet.OnProbe(instance, isUp: true);
        Assert.Equal(9, fleet.Scheduler.Waiting);
        fleet.Fleet.OnProbe(instance, isUp: true);
        fleet.Pass(TimeSpan.FromMilliseconds(100));
        Assert.Equal(9, fleet.Scheduler.Waiting);

        var trial = (await Soon(waiting[0])).Lease!;
        trial.OnFirstByte();
        trial.Release(LeaseEnd.Answered);
        Assert.Equal(5, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_request_that_ran_before_the_circuit_opened_ends_no_trial()
    {
        using var fleet = Warm("Slots=4", "Fleet:OpenFor=5s");
        var instance = fleet.Fleet.Instances[0];
        var old = await Lease(fleet, "m");
        fleet.Fail(instance);
        fleet.Time.Advance(TimeSpan.FromSeconds(6));
        fleet.Fleet.OnProbe(instance, isUp: true);
        fleet.Load(instance, "m", "n");
        var trial = await Lease(fleet, "m");
        _ = Ask(fleet, "m");
        Assert.Equal(1, fleet.Scheduler.Waiting);

        // Its client has gone away, which tells nothing of the instance.
        old.Release(LeaseEnd.Undecided);
        fleet.Scheduler.Tick();
        Assert.Equal(1, fleet.Scheduler.Waiting);

        trial.Release(LeaseEnd.Undecided);
        Assert.Equal(0, fleet.Scheduler.Waiting);
    }

    [Fact]
    public async Task A_request_queued_for_an_instance_that_leaves_goes_to_another()
    {
        using var fleet = Warm("Slots=1");
        await Lease(fleet, "m");
        var waiting = Ask(fleet, "m");

        var b = fleet.Add("b", "m");
        fleet.Fleet.SetInstances([b]);

        Assert.Same(b, (await Soon(waiting)).Lease!.Instance);
    }

    [Fact]
    public async Task Ten_thousand_join_and_leave_in_no_time_and_leave_nothing_behind()
    {
        using var fleet = Warm("Slots=1", "Queue:Limit=20000");
        var lease = await Lease(fleet, "m");
        var cancels = Enumerable.Range(0, 10_000).Select(_ => new CancellationTokenSource()).ToList();
        var time = Stopwatch.StartNew();

        var waiting = cancels.Select((cancel, number) => fleet.Scheduler.AcquireAsync(Ticket("m", $"key{number % 100}"), cancel.Token).AsTask()).ToList();
        Assert.Equal(10_000, fleet.Scheduler.Waiting);
        for (var ticks = 0; ticks < 10; ticks++)
        {
            fleet.Scheduler.Tick();
        }

        // From the end: none of them is the next.
        for (var i = cancels.Count - 1; i >= 0; i--)
        {
            cancels[i].Cancel();
            Assert.Equal(i, fleet.Scheduler.Waiting);
        }

        Assert.True(time.Elapsed < TimeSpan.FromSeconds(30), $"It took {time.Elapsed}.");
        await Wait.UntilAsync(() => Assert.All(waiting, task => Assert.True(task.IsCompleted)), s_soon);
        Assert.All(waiting, task => Assert.Equal(AdmissionStatus.Cancelled, task.Result.Status));
        cancels.ForEach(cancel => cancel.Dispose());

        Assert.Empty(fleet.Scheduler.WaitingByModel());
        lease.Release(LeaseEnd.Answered);
        _ = await Lease(fleet, "m");
    }

    [Fact]
    public async Task Names_that_no_instance_has_do_not_pile_up()
    {
        using var fleet = Warm();
        for (var number = 0; number < 100; number++)
        {
            (await Lease(fleet, $"unknown{number}")).Release(LeaseEnd.Answered);
        }

        Assert.Equal(["m", "n"], fleet.Fleet.Instances[0].Slots.Keys.Order(StringComparer.Ordinal));
    }

    private static TestFleet Warm(params string[] settings)
    {
        var fleet = new TestFleet(settings);
        fleet.Load(fleet.Add("a", "m", "n"), "m", "n");
        return fleet;
    }

    private static Ticket Ticket(string model, string key = "key") => new(model, 0, key);

    private static Task<SlotDecision> AskShort(TestFleet fleet, string key) =>
        fleet.Scheduler.AcquireAsync(new Ticket("m", 0, key) { IsShort = true }, default).AsTask();

    private static Task<SlotDecision> Ask(TestFleet fleet, string model, string key = "key") =>
        fleet.Scheduler.AcquireAsync(Ticket(model, key), default).AsTask();

    private static async Task<Lease> Lease(TestFleet fleet, string model)
    {
        var admission = fleet.Scheduler.AcquireAsync(Ticket(model), default);
        Assert.True(admission.IsCompleted);
        return (await admission).Lease ?? throw new InvalidOperationException("There is no slot.");
    }

    private static Task<SlotDecision> Soon(Task<SlotDecision> admission) => admission.WaitAsync(s_soon);
}
