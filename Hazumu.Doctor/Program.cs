return await Hazumu.Doctor.DoctorCommand.RunAsync(args, Console.Out, Console.Error, Environment.GetEnvironmentVariable);
