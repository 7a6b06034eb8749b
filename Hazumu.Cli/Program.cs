return await Hazumu.Cli.HazumuCommand.RunAsync(args, Console.Out, Console.Error, Environment.GetEnvironmentVariable);
