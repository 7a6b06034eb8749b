using System.Text.Encodings.Web;
using System.Text.Json;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Telemetry;

namespace Hazumu.Gateway.Console;

/// <summary>The request of "Try it" in the forms that a developer needs it in.</summary>
internal static class CodeSample
{
    private const string Key = "HAZUMU_KEY";

    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The forms.</summary>
    public static IReadOnlyList<string> Languages { get; } = ["curl", "Python", "C#", "ollama"];

    /// <summary>Writes a sample.</summary>
    /// <param name="language">One of <see cref="Languages"/>.</param>
    /// <param name="address">The gateway's address, without a slash at its end.</param>
    /// <param name="model">The model.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="needsKey">Whether a key is needed.</param>
    public static string Write(string language, string address, string model, string prompt, bool needsKey) => language switch
    {
        "curl" => $$"""
            curl {{address}}/api/chat{{(needsKey ? $" -H \"Authorization: Bearer ${Key}\"" : "")}} -d {{InShell($$"""{"model": {{InJson(model)}}, "messages": [{"role": "user", "content": {{InJson(prompt)}}}]}""")}}
            """,
        "Python" => $$"""
            # pip install openai
            import os
            from openai import OpenAI

            client = OpenAI(base_url="{{address}}/v1", api_key={{(needsKey ? $"os.environ[\"{Key}\"]" : "\"none\"")}})
            stream = client.chat.completions.create(model={{InJson(model)}}, stream=True, messages=[{"role": "user", "content": {{InJson(prompt)}}}])
            for chunk in stream:
                print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)
            """,
        "C#" => $$"""
            // dotnet add package OpenAI
            using System.ClientModel;
            using OpenAI;
            using OpenAI.Chat;

            var key = {{(needsKey ? $"Environment.GetEnvironmentVariable(\"{Key}\")!" : "\"none\"")}};
            var client = new ChatClient({{InJson(model)}}, new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri("{{address}}/v1") });
            await foreach (var update in client.CompleteChatStreamingAsync({{InJson(prompt)}}))
            {
                foreach (var part in update.ContentUpdate)
                {
                    Console.Write(part.Text);
                }
            }
            """,
        _ => $"{(needsKey ? "OLLAMA_AUTH=1 " : "")}OLLAMA_HOST={address} ollama run {InShell(model)} {InShell(prompt)}",
    };

    /// <summary>The phases of a request that runs.</summary>
    public static List<(string Phase, double Seconds)> Spans(GatewayRequest request)
    {
        var now = request.Clock.GetTimestamp();
        var (sent, first) = (request.Sent, request.FirstByte);
        List<(string, double)> spans = [("queue", request.Seconds((sent == 0 ? now : sent) - request.Started))];
        if (sent != 0)
        {
            spans.Add((request.IsCold ? "load" : "prefill", request.Seconds((first == 0 ? now : first) - sent)));
        }

        if (first != 0)
        {
            spans.Add(("decode", request.Seconds(now - first)));
        }

        return spans;
    }

    /// <summary>The phases of a request that has ended.</summary>
    public static List<(string Phase, double Seconds)> Spans(in RequestPhases phases)
    {
        (string Phase, double? Seconds)[] all = [("queue", phases.Queue), ("load", phases.Load), ("prefill", phases.Prefill), ("decode", phases.Decode)];
        return [.. all.Where(span => span.Seconds is not null).Select(span => (span.Phase, span.Seconds!.Value))];
    }

    private static string InJson(string text) => JsonSerializer.Serialize(text, s_json);

    private static string InShell(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
