using Microsoft.Extensions.Options;

namespace Hazumu.Gateway.Tests.Telemetry;

/// <summary>Options that a test changes in place, or replaces.</summary>
internal sealed class OptionsOf<T>(T value) : IOptionsMonitor<T>
{
    private Action<T, string?>? _changed;

    public T CurrentValue { get; private set; } = value;

    public T Get(string? name) => CurrentValue;

    public IDisposable? OnChange(Action<T, string?> listener)
    {
        _changed += listener;
        return null;
    }

    public void Change(T to)
    {
        CurrentValue = to;
        _changed?.Invoke(to, null);
    }
}
