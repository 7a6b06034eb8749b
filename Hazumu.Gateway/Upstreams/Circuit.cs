namespace Hazumu.Gateway.Upstreams;

/// <summary>Whether an instance gets requests.</summary>
internal enum CircuitState
{
    /// <summary>It does.</summary>
    Closed,

    /// <summary>It gets one at a time, until one has succeeded.</summary>
    HalfOpen,

    /// <summary>It does not.</summary>
    Open,
}

/// <summary>
/// Keeps requests away from an instance that fails. Opens after failures in a row; after a while, and once a probe has succeeded, lets one
/// request at a time try; closes when one has succeeded, so that no herd falls on an instance that has just come back.
/// </summary>
/// <remarks>Not thread-safe: <see cref="Fleet"/> guards it. Times are milliseconds of <see cref="Environment.TickCount64"/>'s clock.</remarks>
internal sealed class Circuit
{
    private const int LongestFactor = 12;

    // Without requests, probes must do.
    private const int ProbesToClose = 3;

    private int _failures;
    private int _factor = 1;
    private int _probes;
    private long _openUntil;
    private int _trial;
    private bool _isTrialRunning;

    /// <summary>The state now.</summary>
    public CircuitState State { get; private set; }

    /// <summary>
    /// The time since which it has accepted only trials; a failed probe after a successful one restarts it.
    /// </summary>
    public long OpenSince { get; private set; }

    /// <summary>Whether a request may go to the instance.</summary>
    public bool Admits => State == CircuitState.Closed || (State == CircuitState.HalfOpen && !_isTrialRunning);

    /// <summary>A request is on its way to the instance.</summary>
    /// <returns>The trial that it is; zero where it is none.</returns>
    public int OnStart()
    {
        if (State != CircuitState.HalfOpen)
        {
            return 0;
        }

        _isTrialRunning = true;
        return ++_trial;
    }

    /// <summary>A request or, where <paramref name="isProbe"/>, a probe was answered.</summary>
    public void OnSuccess(bool isProbe, long now)
    {
        switch (State)
        {
            case CircuitState.Closed when !isProbe:
                _failures = 0;
                break;
            case CircuitState.HalfOpen when !isProbe:
                Close();
                break;
            case CircuitState.Open when isProbe && now >= _openUntil:
                State = CircuitState.HalfOpen;
                _isTrialRunning = false;
                _probes = 0;
                break;
            case CircuitState.HalfOpen when !_isTrialRunning && ++_probes >= ProbesToClose:
                Close();
                break;
        }
    }

    /// <summary>A request or a probe failed: no connection, a reset, or no answer in time.</summary>
    public void OnFailure(int threshold, TimeSpan openFor, long now, bool isProbe = false)
    {
        if (State == CircuitState.HalfOpen)
        {
            OpenSince = isProbe ? now : OpenSince;
            _factor = Math.Min(_factor * 2, LongestFactor);
            Open(openFor, now);
        }
        else if (State == CircuitState.Closed && ++_failures >= threshold)
        {
            OpenSince = now;
            Open(openFor, now);
        }
    }

    /// <summary>The instance has loaded a model for a request.</summary>
    public void OnLoaded()
    {
        if (State == CircuitState.HalfOpen)
        {
            Close();
        }
    }

    /// <summary>The instance, which no probe could reach, is there again: it need not wait for the end of the time that the circuit is open.</summary>
    public void OnReturn() => _openUntil = 0;

    /// <summary>A request ended without a word about the instance: its client went away. The next may try where it was the trial.</summary>
    public void OnUndecided(int trial)
    {
        if (trial == _trial)
        {
            _isTrialRunning = false;
        }
    }

    private void Open(TimeSpan openFor, long now)
    {
        State = CircuitState.Open;
        _isTrialRunning = false;
        _openUntil = now + (long)(openFor.TotalMilliseconds * _factor);
    }

    private void Close()
    {
        State = CircuitState.Closed;
        _isTrialRunning = false;
        _failures = 0;
        _factor = 1;
    }
}
