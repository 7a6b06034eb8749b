using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Alloy;

/// <summary>
/// Copies what a project writes to its file, from where Alloy reads it; each line begins with its time.
/// </summary>
internal sealed class ProjectLogCopy(ProjectLog log, ResourceNotificationService notifications, ResourceLoggerService logs, ILoggerFactory loggers) : BackgroundService
{
    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A project's log is found once DCP has named its process; what was written until then is still there.
        await notifications.WaitForResourceAsync(log.Project.Name, KnownResourceStates.Running, stoppingToken);
        if (log.Folder is not { } folder)
        {
            return;
        }

        try
        {
            await CopyAsync(Path.Combine(folder, $"{log.Project.Name}.log"), stoppingToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _logger.LogError("The log of '{Project}' no longer reaches Loki: {Reason}", log.Project.Name, error.Message);
        }
    }

    private async Task CopyAsync(string file, CancellationToken cancellationToken)
    {
        var writer = Open(file);
        try
        {
            await foreach (var lines in logs.WatchAsync(log.Project).WithCancellation(cancellationToken))
            {
                foreach (var line in lines)
                {
                    await writer.WriteAsync(line.Content);
                    await writer.WriteAsync('\n');
                }

                await writer.FlushAsync(cancellationToken);
                if (writer.BaseStream.Length > ProjectLog.Capacity)
                {
                    await writer.DisposeAsync();
                    File.Move(file, $"{file}.1", overwrite: true);
                    writer = Open(file);
                }
            }
        }
        finally
        {
            await writer.DisposeAsync();
        }
    }

    private static StreamWriter Open(string file) => new(new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
}
