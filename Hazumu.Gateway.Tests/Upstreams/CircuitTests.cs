using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Tests.Upstreams;

public class CircuitTests
{
    private const int Threshold = 3;
    private static readonly TimeSpan s_openFor = TimeSpan.FromSeconds(5);

    private readonly Circuit _circuit = new();

    [Fact]
    public void It_opens_after_so_many_failures_in_a_row()
    {
        Fail(at: 0, times: 2);
        _circuit.OnSuccess(isProbe: false, 0);
        Fail(at: 0, times: 2);
        Assert.True(_circuit.Admits);

        Fail(at: 0);
        Assert.Equal(CircuitState.Open, _circuit.State);
        Assert.False(_circuit.Admits);
    }

    [Fact]
    public void A_probe_that_is_answered_does_not_hide_requests_that_fail()
    {
        Fail(at: 0, times: 2);
        _circuit.OnSuccess(isProbe: true, 0);
        Fail(at: 0);

        Assert.Equal(CircuitState.Open, _circuit.State);
    }

    [Fact]
    public void It_is_half_open_after_its_time_and_a_successful_probe()
    {
        Fail(at: 0, times: 3);

        _circuit.OnSuccess(isProbe: true, 4_999);
        Assert.Equal(CircuitState.Open, _circuit.State);

        _circuit.OnSuccess(isProbe: true, 5_000);
        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
    }

    [Fact]
    public void Half_open_it_lets_one_at_a_time_try()
    {
        HalfOpen();

        Assert.True(_circuit.Admits);
        var trial = _circuit.OnStart();
        Assert.False(_circuit.Admits);

        // Another's end, from before the circuit opened or from an earlier trial, is not the trial's.
        _circuit.OnUndecided(0);
        _circuit.OnUndecided(trial - 1);
        Assert.False(_circuit.Admits);

        _circuit.OnUndecided(trial);
        Assert.True(_circuit.Admits);
    }

    [Fact]
    public void It_closes_when_one_has_succeeded()
    {
        HalfOpen();
        _circuit.OnStart();
        _circuit.OnSuccess(isProbe: false, 6_000);

        Assert.Equal(CircuitState.Closed, _circuit.State);
        Assert.True(_circuit.Admits);
        Fail(at: 6_000, times: 2);
        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public void It_stays_open_twice_as_long_each_time_that_the_trial_fails_up_to_a_minute()
    {
        var at = HalfOpen();
        foreach (var seconds in new[] { 10, 20, 40, 60, 60 })
        {
            _circuit.OnStart();
            Fail(at);
            _circuit.OnSuccess(isProbe: true, at + (seconds * 1_000) - 1);
            Assert.Equal(CircuitState.Open, _circuit.State);

            at += seconds * 1_000;
            _circuit.OnSuccess(isProbe: true, at);
            Assert.Equal(CircuitState.HalfOpen, _circuit.State);
        }

        // Once it has closed, it begins again.
        _circuit.OnStart();
        _circuit.OnSuccess(isProbe: false, at);
        Fail(at, times: 3);
        _circuit.OnSuccess(isProbe: true, at + 5_000);
        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
    }

    [Fact]
    public void Without_requests_probes_close_it()
    {
        HalfOpen();
        for (var probes = 0; probes < 3; probes++)
        {
            Assert.Equal(CircuitState.HalfOpen, _circuit.State);
            _circuit.OnSuccess(isProbe: true, 6_000);
        }

        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public void Probes_do_not_close_it_while_a_trial_runs()
    {
        HalfOpen();
        _circuit.OnStart();
        for (var probes = 0; probes < 10; probes++)
        {
            _circuit.OnSuccess(isProbe: true, 6_000);
        }

        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
    }

    [Fact]
    public void An_instance_that_is_back_need_not_wait_for_its_time()
    {
        Fail(at: 0, times: 3);
        _circuit.OnReturn();
        _circuit.OnSuccess(isProbe: true, 100);

        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
    }

    [Fact]
    public void It_is_open_since_the_first_failure_or_since_a_probe_failed_again()
    {
        HalfOpen();
        _circuit.OnFailure(Threshold, s_openFor, 6_000);
        Assert.Equal(0, _circuit.OpenSince);

        _circuit.OnSuccess(isProbe: true, 60_000);
        _circuit.OnFailure(Threshold, s_openFor, 61_000, isProbe: true);
        Assert.Equal(61_000, _circuit.OpenSince);
    }

    [Fact]
    public void A_probe_that_fails_opens_it_again()
    {
        HalfOpen();
        Fail(at: 6_000);

        Assert.Equal(CircuitState.Open, _circuit.State);
    }

    private long HalfOpen()
    {
        Fail(at: 0, times: Threshold);
        _circuit.OnSuccess(isProbe: true, 5_000);
        return 5_000;
    }

    private void Fail(long at, int times = 1)
    {
        for (; times > 0; times--)
        {
            _circuit.OnFailure(Threshold, s_openFor, at);
        }
    }
}
