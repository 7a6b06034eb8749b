using System.Text;
using System.Text.Json;

namespace Hazumu.Bench.Load;

/// <summary>The requests that are sent, ready to be sent.</summary>
internal static class Requests
{
    /// <summary>A chat whose answer is one JSON document with one token.</summary>
    public static byte[] Small(string model) =>
        Chat(new { model, messages = Ask("Say hello."), stream = false, options = new { num_predict = 1 } });

    /// <summary>A chat whose answer is a stream of so many tokens.</summary>
    /// <param name="model">Of which model.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="number">Makes a prompt that begins otherwise than another one.</param>
    public static byte[] Stream(string model, int tokens, int number = 0) =>
        Chat(new { model, messages = Ask($"{number}: why is the sky blue?"), options = new { num_predict = tokens } });

    private static object[] Ask(string content) => [new { role = "user", content }];

    private static byte[] Chat(object body)
    {
        var json = JsonSerializer.Serialize(body);
        return Encoding.ASCII.GetBytes(
            $"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}");
    }
}
