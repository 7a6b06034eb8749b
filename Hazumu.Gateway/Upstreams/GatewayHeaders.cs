using System.Text;
using System.Text.Unicode;

namespace Hazumu.Gateway.Upstreams;

/// <summary>Headers that the gateway adds to requests and answers.</summary>
internal static class GatewayHeaders
{
    /// <summary>In an answer: the instance that gave it. In a request that manages or unloads models: the instance it is for.</summary>
    public const string Instance = "Hazumu-Instance";

    /// <summary>In an answer: the model that gave it, where the client has named another one.</summary>
    public const string Model = "Hazumu-Model";

    /// <summary>
    /// In a request that runs a model: the priority that it wants, if that is lower than the one of its key.
    /// </summary>
    public const string Priority = "Hazumu-Priority";

    /// <summary>In an answer: the request's place in the queue when it joined; 0 where it did not wait.</summary>
    public const string QueuePosition = "Hazumu-Queue-Position";

    /// <summary>The request's id, in requests and in answers. OpenAI's clients read it as <c>x-request-id</c>.</summary>
    public const string RequestId = "X-Request-Id";

    /// <summary>Text as a header's value: its UTF-8, each byte a character, as headers are read and written here.</summary>
    public static string Encode(string text) => Ascii.IsValid(text) ? text : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>The text of a header's value: of UTF-8, or of Latin-1 where it is none.</summary>
    public static string Decode(string value)
    {
        if (Ascii.IsValid(value) || value.AsSpan().ContainsAnyExceptInRange('\0', '\xFF'))
        {
            return value;
        }

        var bytes = Encoding.Latin1.GetBytes(value);
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : value;
    }
}
