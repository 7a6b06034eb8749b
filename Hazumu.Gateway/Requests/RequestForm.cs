namespace Hazumu.Gateway.Requests;
internal static class RequestForm { public static ValueTask<RequestHeadResult> ParseAsync(ReadOnlyMemory<byte> b, string? ct, bool w, CancellationToken c) => default; }
