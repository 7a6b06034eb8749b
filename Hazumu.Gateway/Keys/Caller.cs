namespace Hazumu.Gateway.Keys;

/// <summary>Who makes a request: a key, or nobody where keys are off.</summary>
/// <param name="Name">The key's name, for metrics and the access log; never the key.</param>
internal sealed record Caller(string Name)
{
    /// <summary>Whoever came without a key while none is needed.</summary>
    public static Caller Anonymous { get; } = new("anonymous");
}
