namespace Hazumu.Gateway.Pipeline.Forwarding;

/// <summary>Bounds further attempts to a part of all requests, so that a failing fleet is not flooded with them.</summary>
internal sealed class RetryBudget
{
    private const double Allowance = 10;

    private readonly Lock _lock = new();
    private double _left = Allowance;

    /// <summary>A request has come: it earns its part of an attempt.</summary>
    public void Earn(int percent)
    {
        lock (_lock)
        {
            _left = Math.Min(Allowance, _left + (percent / 100d));
        }
    }

    /// <summary>Takes a further attempt.</summary>
    /// <returns>Whether there was one.</returns>
    public bool TrySpend()
    {
        lock (_lock)
        {
            if (_left < 1)
            {
                return false;
            }

            _left--;
            return true;
        }
    }
}
