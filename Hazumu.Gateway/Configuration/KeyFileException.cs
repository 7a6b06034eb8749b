namespace Hazumu.Gateway.Configuration;

/// <summary>Keys cannot be read or stored as they are given. The message is one sentence for whoever runs the gateway; it holds no key and no hash.</summary>
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
