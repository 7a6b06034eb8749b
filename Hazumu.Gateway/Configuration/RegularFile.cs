using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Hazumu.Gateway.Configuration;

/// <summary>
/// Reads files that are watched. A pipe would hold the reader until someone writes to it, and a device may never end, so that nothing but a
/// regular file is opened.
/// </summary>
internal static class RegularFile
{
    // Of struct statx, which is the same on every architecture (statx(2)).
    private const int StatxSize = 256;
    private const int ModeOffset = 28;
    private const int AtCurrentDirectory = -100;
    private const uint StatxType = 1;
    private const int TypeMask = 0xF000;
    private const int TypeRegular = 0x8000;
    private const int TypeDirectory = 0x4000;

    /// <summary>Reads a file.</summary>
    /// <exception cref="IOException">It is no regular file, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        Check(path);
        return File.ReadAllBytes(path);
    }

    /// <summary>Reads a text.</summary>
    /// <exception cref="IOException">It is no regular file, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static string ReadAllText(string path)
    {
        Check(path);
        return File.ReadAllText(path);
    }

    /// <summary>
    /// Checks that a path is a regular file, or a link to one. A path that does not exist passes: opening it reports
    /// the error.
    /// </summary>
    /// <exception cref="IOException">It is something else.</exception>
    public static void Check(string path)
    {
        // The runtime refuses a directory by itself.
        if (OperatingSystem.IsLinux() && TypeOf(path) is { } type && type is not TypeRegular and not TypeDirectory)
        {
            throw new IOException($"'{path}' is a pipe, a socket or a device; it must be a regular file.");
        }
    }

    private static int? TypeOf(string path)
    {
        var buffer = new byte[StatxSize];
        try
        {
            return Statx(AtCurrentDirectory, path, 0, StatxType, buffer) == 0
                ? BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(ModeOffset)) & TypeMask
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library older than the call.
            return null;
        }
    }

#pragma warning disable SYSLIB1054 // One call, with nothing to generate.
    [DllImport("libc", EntryPoint = "statx")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Statx(int directory, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags, uint mask, byte[] buffer);
#pragma warning restore SYSLIB1054
}
