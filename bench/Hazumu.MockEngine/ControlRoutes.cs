using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Mocks;

/// <summary>
/// What steers an engine that runs as a process of its own: <c>/mock/options</c> (GET, POST of the members to change), <c>/mock/statistics</c>
/// (GET), <c>/mock/reset</c> (POST: forgets counts; with <c>?unload=true</c> also what is in memory).
/// </summary>
internal static class ControlRoutes
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(), new SecondsConverter() },
    };

    public static MockEngineOptions Read(string json) => JsonSerializer.Deserialize<MockEngineOptions>(json, s_json)!;

    public static async Task HandleAsync(MockEngine engine, HttpContext context, string path)
    {
        switch (context.Request.Method, path)
        {
            case ("GET", "/mock/options"):
                await context.Response.WriteAsJsonAsync(engine.Options, s_json).ConfigureAwait(false);
                break;
            case ("POST", "/mock/options"):
                await ChangeAsync(engine, context).ConfigureAwait(false);
                break;
            case ("GET", "/mock/statistics"):
                await context.Response.WriteAsJsonAsync(engine.Statistics, s_json).ConfigureAwait(false);
                break;
            case ("POST", "/mock/reset"):
                engine.ResetStatistics();
                if (context.Request.Query["unload"] == "true")
                {
                    engine.UnloadAll();
                }

                break;
            default:
                context.Response.StatusCode = 404;
                break;
        }
    }

    private static async Task ChangeAsync(MockEngine engine, HttpContext context)
    {
        try
        {
            var changes = (await JsonNode.ParseAsync(context.Request.Body).ConfigureAwait(false))!.AsObject();
            var before = engine.Options;
            var merged = JsonSerializer.SerializeToNode(before, s_json)!.AsObject();
            foreach (var (name, value) in changes)
            {
                merged[name] = value?.DeepClone();
            }

            var after = merged.Deserialize<MockEngineOptions>(s_json)!;
            engine.Options = after with
            {
                Models = changes.ContainsKey("models") ? after.Models : before.Models,
                Faults = changes.ContainsKey("faults") ? after.Faults : before.Faults,
            };
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException or NullReferenceException)
        {
            context.Response.StatusCode = 400;
            await context.Response.WriteAsync(broken.Message).ConfigureAwait(false);
        }
    }

    /// <summary>A duration as a number of seconds.</summary>
    private sealed class SecondsConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TimeSpan.FromSeconds(reader.GetDouble());

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value.TotalSeconds);
    }
}
