namespace Hazumu.Gateway.Translation;

/// <summary>A request cannot be put into the engine's dialect.</summary>
/// <param name="status">The status of the answer: 400 where the request is wrong, 501 where the engine has no such thing.</param>
/// <param name="message">One sentence for the client.</param>
internal sealed class TranslationException(int status, string message) : Exception(message)
{
    /// <summary>The status of the answer.</summary>
    public int Status { get; } = status;
}
