using Hazumu.Gateway.Configuration;
using Microsoft.Win32.SafeHandles;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>
/// Limits the memory and the disk space that the bodies of all requests take together. A body that finds no room is refused with 503;
/// the process does not run out of memory instead.
/// </summary>
internal sealed partial class BodyBudget(GatewaySettings settings, ILogger<BodyBudget> logger)
{
    // In a container the runtime counts three quarters of the memory limit as available.
    private static readonly long s_defaultMemory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;

    private readonly Lock _gate = new();
    private (string? Setting, string? Found)? _folder;
    private long _memory;
    private long _disk;

    /// <summary>Bytes of memory that are taken.</summary>
    public long Memory => Interlocked.Read(ref _memory);

    /// <summary>Bytes in files that are taken.</summary>
    public long Disk => Interlocked.Read(ref _disk);

    /// <summary>Bytes of memory that there are in all.</summary>
    public long MemoryLimit => settings.Current.Body.MemoryLimit ?? s_defaultMemory;

    /// <summary>Bytes of disk space that there are in all.</summary>
    public long DiskLimit => settings.Current.Body.DiskLimit;

    /// <summary>Whether there is a disk for large bodies.</summary>
    public bool HasDisk => Folder is not null;

    /// <summary>
    /// The folder for bodies that are too large for memory; <see langword="null"/> if there is no disk for them.
    /// </summary>
    private string? Folder
    {
        get
        {
            lock (_gate)
            {
                var setting = settings.Current.Body.Folder;
                if (_folder is not { } known || known.Setting != setting)
                {
                    _folder = (setting, setting ?? DefaultFolder());
                }

                return DiskLimit > 0 ? _folder.Value.Found : null;
            }
        }
    }

    /// <summary>Takes memory.</summary>
    /// <returns>Whether there was room.</returns>
    public bool TryTakeMemory(long bytes) => TryTake(ref _memory, bytes, MemoryLimit);

    /// <summary>Gives memory back.</summary>
    public void ReturnMemory(long bytes) => Interlocked.Add(ref _memory, -bytes);

    /// <summary>Takes disk space.</summary>
    /// <returns>Whether there was room.</returns>
    public bool TryTakeDisk(long bytes) => TryTake(ref _disk, bytes, DiskLimit);

    /// <summary>Gives disk space back.</summary>
    public void ReturnDisk(long bytes) => Interlocked.Add(ref _disk, -bytes);

    /// <summary>Creates a file without a name, which is gone when it is closed or the process ends.</summary>
    /// <returns>The file; <see langword="null"/> if there is no disk for it.</returns>
    public SafeFileHandle? TryCreateFile()
    {
        if (Folder is not { } folder)
        {
            return null;
        }

        try
        {
            Directory.CreateDirectory(folder);
            var path = Path.Combine(folder, $"hazumu-body-{Guid.NewGuid():N}");
            var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, FileOptions.DeleteOnClose);
            if (!OperatingSystem.IsWindows())
            {
                // A process that is killed leaves nothing behind either, and no other process can open it.
                File.Delete(path);
            }

            return file;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            OnDiskFailed(error);
            return null;
        }
    }

    /// <summary>A file could not be created or written.</summary>
    public void OnDiskFailed(Exception error) => LogDiskFailed(settings.Current.Body.Folder ?? Folder ?? "", error.Message);

    /// <summary>A file could not be read back.</summary>
    public void OnDiskReadFailed(Exception error) => LogDiskUnreadable(settings.Current.Body.Folder ?? Folder ?? "", error.Message);

    private static bool TryTake(ref long taken, long bytes, long limit)
    {
        if (Interlocked.Add(ref taken, bytes) <= limit)
        {
            return true;
        }

        Interlocked.Add(ref taken, -bytes);
        return false;
    }

    // The first that is on a disk: in a container /tmp is often memory, and counts against its limit.
    private static string? DefaultFolder() => ((string[])[Path.GetTempPath(), "/var/tmp"]).FirstOrDefault(IsOnDisk);

    private static bool IsOnDisk(string folder)
    {
        try
        {
            if (new DriveInfo(folder).DriveFormat is "tmpfs" or "ramfs")
            {
                return false;
            }

            using var probe = File.OpenHandle(Path.Combine(folder, $"hazumu-body-{Guid.NewGuid():N}"), FileMode.CreateNew, FileAccess.Write, options: FileOptions.DeleteOnClose);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A request's body cannot be written to '{Folder}': {Problem} Check the setting 'Gateway:Body:Folder' and the space there.")]
    private partial void LogDiskFailed(string folder, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "A request's body cannot be read back from '{Folder}': {Problem} Check the disk of the setting 'Gateway:Body:Folder'.")]
    private partial void LogDiskUnreadable(string folder, string problem);
}
