var builder = DistributedApplication.CreateBuilder(args);

var blackbox = builder.AddBlackboxExporter("blackbox")
    .WithConfiguration();

builder.AddPrometheus("prometheus")
    .WithConfiguration()
    .WithDataVolume()
    .WithScrapeTarget(blackbox);

builder.Build().Run();
