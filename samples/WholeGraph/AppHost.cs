var builder = DistributedApplication.CreateBuilder(args);

builder.AddHazumu();

builder.Build().Run();
