using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Upstreams;

namespace Hazumu.Gateway.Pipeline.Management;

/// <summary>
/// Reads that do not depend on a model are sent to every instance, and the answers are merged: the models on disk and
/// in memory, each once, and the oldest version. With one instance it is that instance's answer, byte for byte. A key
/// that may use only some models sees only these.
/// </summary>
internal sealed class MergedReads(Fleet fleet, ModelNames names, ManagementHandler single)
{
    // Go reads a time without unescaping it: with "\u002B09:00" for "+09:00", `ollama list` fails.
    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(5);

    /// <summary>Handles a request.</summary>
    public async ValueTask<Completion> HandleAsync(HttpContext context, GatewayRequest request)
    {
        var instances = fleet.Instances.Where(instance => instance.Circuit.State != CircuitState.Open).ToList();
        var path = context.Request.Path.Value!;
        var listed = path is "/v1/models" or "/api/tags" ? names.All.Where(chain => chain.IsListed).ToList() : [];
        if (fleet.Instances is [{ Models.IsAll: true }] && listed.Count == 0 && request.Caller.Key is not { Models.IsAll: false })
        {
            return await single.HandleAsync(context, request);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(s_timeout);
        var answers = await Task.WhenAll(instances.Select(instance => ReadAsync(instance, path, request.Id, limit.Token)));
        context.RequestAborted.ThrowIfCancellationRequested();

        var known = instances.Zip(answers).Where(read => read.Second is not null).Select(read => (Instance: read.First, Answer: read.Second!)).ToList();
        if (known.Count == 0)
        {
            return GatewayRefusal.Unreachable();
        }

        var answer = path switch
        {
            "/api/version" => Oldest(known.Select(read => read.Answer)),
            "/v1/models" => Union(known, "data", "id", request.Caller, listed),
            _ => Union(known, "models", "name", request.Caller, listed),
        };
        await WriteAsync(context, answer);
        return Completion.Success;
    }

    // An instance that is down is left out; its probe reports it.
    private static async Task<JsonObject?> ReadAsync(Instance instance, string path, string requestId, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await EngineApi.GetAsync(instance, path, requestId, cancellationToken);
            return answer is null ? null : JsonObject.Create(answer.RootElement.Clone());
        }
        catch (Exception error) when (error is HttpRequestException or JsonException or IOException or OperationCanceledException or InvalidOperationException)
        {
            return null;
        }
    }

    private static JsonObject Union(
        List<(Instance Instance, JsonObject Answer)> answers, string list, string name, Caller caller, List<NamedChain> chains)
    {
        var seen = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        var merged = new JsonArray();
        // As Ollama lists them: what was changed last first, and in memory what stays longest. Of a model that several have, the newest.
        var models = answers.SelectMany(read => (read.Answer[list] as JsonArray ?? []).OfType<JsonObject>().Select(model => (read.Instance, Model: model)));
        foreach (var (instance, model) in models.OrderByDescending(read => TimeOf(read.Model)))
        {
            var known = model[name]?.GetValueKind() == JsonValueKind.String ? model[name]!.GetValue<string>() : "";
            if (instance.Models.Allows(known) && seen.TryAdd(ModelName.FullNameOf(known), model) && caller.MayUse(known))
            {
                merged.Add(model.DeepClone());
            }
        }

        // Each as the first of its models that there is, unless it is called like one.
        foreach (var chain in chains.Where(chain => !seen.ContainsKey(ModelName.FullNameOf(chain.Name))).OrderBy(chain => chain.Name, StringComparer.Ordinal))
        {
            if (chain.AllowedTo(caller).Select(model => seen.GetValueOrDefault(model.FullName)).FirstOrDefault(model => model is not null)?.DeepClone() is { } first)
            {
                first[name] = chain.Name;
                if (first["model"] is not null)
                {
                    first["model"] = chain.Name;
                }

                merged.Add(first);
            }
        }

        var answer = (JsonObject)answers[0].Answer.DeepClone();
        answer[list] = merged;
        return answer;
    }

    private static DateTimeOffset TimeOf(JsonObject model) =>
        model["created"] is JsonValue created && created.TryGetValue<long>(out var seconds) ? DateTimeOffset.FromUnixTimeSeconds(seconds)
        : DateTimeOffset.TryParse((model["modified_at"] ?? model["expires_at"])?.ToString(), CultureInfo.InvariantCulture, out var time) ? time
        : default;

    // All instances support the features of the oldest version.
    private static JsonObject Oldest(IEnumerable<JsonObject> answers) =>
        (JsonObject)answers.MinBy(answer => Version.TryParse(answer["version"]?.ToString().Split('-')[0], out var version) ? version : new Version(int.MaxValue, 0))!.DeepClone();

    private static async Task WriteAsync(HttpContext context, JsonObject answer)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(answer, s_json);
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }
}
