using Hazumu.Testing;

namespace Hazumu.Tests.Faults;

/// <summary>
/// A file system of its own in a file of 64 MB, which can be filled while the machine's disks stay as they are. It is mounted before
/// the node exporter starts: a container does not see what is mounted later.
/// </summary>
public sealed class SmallDisk
{
    private const int Megabytes = 64;

    private readonly Lazy<DirectoryInfo> _folder = new(() => Directory.CreateTempSubdirectory("hazumu-disk-"));
    private bool _isMounted;

    /// <summary>Why there is none on this machine, or <see langword="null"/> where there is.</summary>
    public static string? Missing => !OperatingSystem.IsLinux() || Environment.UserName != "root" || !File.Exists("/dev/loop-control")
        ? "mounting a file system needs Linux, root and loop devices"
        : null;

    private string Mount => Path.Combine(_folder.Value.FullName, "disk");

    private string Filler => Path.Combine(Mount, "filler");

    /// <summary>Makes and mounts it; does nothing where it is missing.</summary>
    public async Task MountAsync()
    {
        if (Missing is not null || OperatingSystem.IsWindows())
        {
            return;
        }

        var image = Path.Combine(_folder.Value.FullName, "image");
        Directory.CreateDirectory(Mount);

        // The node exporter runs as nobody, and measures only what it may reach.
        File.SetUnixFileMode(_folder.Value.FullName, (UnixFileMode)0b111_101_101);
        await ProcessRunner.RunOrThrowAsync("truncate", ["--size", $"{Megabytes}M", image]);
        await ProcessRunner.RunOrThrowAsync("mkfs.ext4", ["-q", "-m", "0", image]);
        await ProcessRunner.RunOrThrowAsync("mount", ["-o", "loop", image, Mount]);
        _isMounted = true;
    }

    /// <summary>Fills all but 3 % of it.</summary>
    public async Task FillAsync()
    {
        var free = new DriveInfo(Mount);
        await ProcessRunner.RunOrThrowAsync("fallocate", ["--length", $"{free.AvailableFreeSpace - (free.TotalSize * 3 / 100)}", Filler]);
    }

    /// <summary>Makes room again.</summary>
    public void Clear() => File.Delete(Filler);

    /// <summary>Unmounts and removes it.</summary>
    public async Task UnmountAsync()
    {
        if (_isMounted)
        {
            await ProcessRunner.RunOrThrowAsync("umount", [Mount]);
            _isMounted = false;
        }

        if (_folder.IsValueCreated)
        {
            _folder.Value.Delete(recursive: true);
        }
    }
}
