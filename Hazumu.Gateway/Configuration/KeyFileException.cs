namespace Hazumu.Gateway.Configuration;

/// <summary>
/// Keys cannot be read or stored. The message is one sentence for the operator of the gateway; it contains no key and
/// no hash.
/// </summary>
internal sealed class KeyFileException : Exception
{
    /// <summary>Makes the exception from its sentence.</summary>
    public KeyFileException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception from its sentence and its cause.</summary>
    public KeyFileException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
