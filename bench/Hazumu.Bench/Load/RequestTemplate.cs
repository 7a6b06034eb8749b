using System.Text;
using System.Text.Json;

namespace Hazumu.Bench.Load;

/// <summary>The common part of all requests to a target.</summary>
/// <param name="Prefix">The prefix of Ollama's own paths.</param>
/// <param name="Key">The client's key; <see langword="null"/> where requests have none.</param>
internal sealed record RequestTemplate(string Prefix = "", string? Key = null)
{
    /// <summary>A chat whose answer is one JSON document with one token.</summary>
    public byte[] Small(string model) => Chat(SmallBody(model));

    /// <summary>The body of <see cref="Small"/>.</summary>
    public static object SmallBody(string model) => new { model, messages = Ask("Say hello."), stream = false, options = new { num_predict = 1 } };

    /// <summary>A chat whose answer is a stream of so many tokens.</summary>
    /// <param name="model">Of which model.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="number">Makes a prompt that begins otherwise than another one.</param>
    public byte[] Stream(string model, int tokens, int number = 0) =>
        Chat(new { model, messages = Ask($"{number}: why is the sky blue?"), options = new { num_predict = tokens } });

    private static object[] Ask(string content) => [new { role = "user", content }];

    private byte[] Chat(object body)
    {
        var json = JsonSerializer.Serialize(body);
        var authorization = Key is null ? "" : $"Authorization: Bearer {Key}\r\n";
        return Encoding.ASCII.GetBytes(
            $"POST {Prefix}/api/chat HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}");
    }
}
