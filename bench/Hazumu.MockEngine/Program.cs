using Hazumu.Mocks;

// Hazumu.MockEngine [OPTIONS]: the members of MockEngineOptions as JSON, durations in seconds:
//   '{"port": 11500, "tokens": 200, "tokenTime": 0.05, "models": [{"name": "mock"}]}'
// As a process of its own it remembers no requests unless told, so that it can run for long.
var options = args.Length > 0 ? ControlRoutes.Read(args[0]) : new MockEngineOptions();
await using var engine = await MockEngine.StartAsync(options with
{
    RememberedRequests = args.Length > 0 && args[0].Contains("rememberedRequests", StringComparison.Ordinal) ? options.RememberedRequests : 0,
});
Console.WriteLine($"Listening on {engine.Address}");
await engine.WaitForShutdownAsync();
