using Hazumu.Mocks;

// Hazumu.MockEngine [OPTIONS]: the members of MockEngineOptions as JSON, durations in seconds:
//   '{"port": 11500, "tokens": 200, "tokenTime": 0.05, "models": [{"name": "mock"}]}'
await MockEngine.RunAsync(args.Length > 0 ? args[0] : "{}");
