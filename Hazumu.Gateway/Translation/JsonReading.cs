using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hazumu.Gateway.Translation;

/// <summary>Reads properties that may be missing or of another type: both count as not there.</summary>
internal static class JsonReading
{
    // An object with a property twice would throw where it is read first.
    private static readonly JsonDocumentOptions s_options = new() { AllowDuplicateProperties = false };

    /// <summary>Parses a document.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static JsonNode? Parse(ReadOnlySpan<byte> json) => JsonNode.Parse(json, documentOptions: s_options);

    /// <summary>A property's value; <see langword="null"/> where there is none.</summary>
    public static JsonNode? Value(this JsonNode? node, string name) => node is JsonObject item && item.TryGetPropertyValue(name, out var value) ? value : null;

    /// <summary>A property that is an object.</summary>
    public static JsonObject? Object(this JsonNode? node, string name) => node.Value(name) as JsonObject;

    /// <summary>A property that is an array.</summary>
    public static JsonArray? Array(this JsonNode? node, string name) => node.Value(name) as JsonArray;

    /// <summary>A property that is a string.</summary>
    public static string? Text(this JsonNode? node, string name) => node.Value(name).AsText();

    /// <summary>A property that is a number, without its fraction.</summary>
    public static long? Number(this JsonNode? node, string name) => node.Decimal(name) is { } number ? (long)number : null;

    /// <summary>A property that is a number.</summary>
    public static double? Decimal(this JsonNode? node, string name) =>
        node.Value(name) is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue<double>(out var number) ? number : null;

    /// <summary>A property that is <c>true</c> or <c>false</c>.</summary>
    public static bool? Flag(this JsonNode? node, string name) => node.Value(name)?.GetValueKind() switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    /// <summary>The text of a string.</summary>
    public static string? AsText(this JsonNode? node) => node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;

    /// <summary>Takes a property's value out of its object, so that it can go into another.</summary>
    public static JsonNode? Take(this JsonObject item, string name)
    {
        var value = item.Value(name);
        item.Remove(name);
        return value;
    }
}
