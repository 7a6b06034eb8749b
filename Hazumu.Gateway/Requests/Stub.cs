using Hazumu.Gateway.Operations;
using System.Text.Json;
namespace Hazumu.Gateway.Requests;
internal readonly record struct RequestHead(string? Problem, string? Model, bool? Stream, ulong Affinity, bool KeepAliveIsZero)
{
    public static RequestHead Parse(ReadOnlySpan<byte> json, bool isWhole, Operation op)
    {
        try {
        var r = new Utf8JsonReader(json, isWhole, default);
        string? model=null; bool? stream=null;
        while (r.Read()) {
            if (r.CurrentDepth==1 && r.TokenType==JsonTokenType.PropertyName) {
                if (r.ValueTextEquals("model")||r.ValueTextEquals("name")||r.ValueTextEquals("source")) { r.Read(); model=r.GetString(); }
                else if (r.ValueTextEquals("stream")) { r.Read(); stream=r.GetBoolean(); }
            }
        }
        return new(null, model, stream, 0, false);
        } catch (JsonException e) { return new(e.Message, null, null, 0, false); }
    }
}
internal static class RequestForm { public static ValueTask<RequestHead> ParseAsync(ReadOnlyMemory<byte> b, string? ct, bool w, CancellationToken c) => default; }
internal static class UsageRequest { public static bool TryAdd(ReadOnlyMemory<byte> b, RequestHead h, out ReadOnlyMemory<byte> r) { r=default; return false; } }
