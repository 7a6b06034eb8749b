using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace Hazumu.Cli;

/// <summary>The checkout of Hazumu that commands work on.</summary>
/// <param name="Root">The folder that holds <c>Hazumu.sln</c>.</param>
internal sealed record Checkout(string Root)
{
    /// <summary>The folder for logs and remembered settings; git ignores it.</summary>
    public string State => Directory.CreateDirectory(Path.Combine(Root, ".hazumu")).FullName;

    /// <summary>
    /// Finds the checkout that this program was built in, or for an installed tool the one that it is called in.
    /// </summary>
    /// <exception cref="CliException">There is none.</exception>
    public static Checkout Find() =>
        FindAbove(AppContext.BaseDirectory) ?? FindAbove(Directory.GetCurrentDirectory())
        ?? throw new CliException($"There is no Hazumu.sln in '{Directory.GetCurrentDirectory()}' or above it; run this command in a checkout of Hazumu.");

    /// <summary>The script that builds images from Debian's packages.</summary>
    public string DebianImages => Path.Combine(Root, "eng", "images-from-debian.sh");

    /// <summary>Starts the container engine on Debian and Ubuntu if none answers; installs it if it is missing.</summary>
    /// <remarks>Elsewhere the AppHost reports what is wrong with the engine.</remarks>
    /// <param name="cancellationToken">Cancels the call.</param>
    public async Task PrepareEngineAsync(CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsLinux())
        {
            await ForegroundProcess.RunAsync(
                new("bash", ["-c", "ROOT=$PWD; . eng/lib.sh; mkdir -p \"$STATE\"; prepare_engine"]) { WorkingDirectory = Root },
                cancellationToken);
        }
    }

    /// <summary>
    /// Runs a program in this folder to its end; a cancellation interrupts it, and kills it at a limit.
    /// </summary>
    /// <remarks>An interrupted script removes its work folder; a killed one does not.</remarks>
    /// <exception cref="System.ComponentModel.Win32Exception">The program cannot be started.</exception>
    public async Task<BufferedCommandResult> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        using var kill = new CancellationTokenSource();
        await using var interrupted = cancellationToken.Register(() => kill.CancelAfter(ForegroundProcess.EndLimit));
        return await CliWrap.Cli.Wrap(program)
            .WithArguments(arguments)
            .WithWorkingDirectory(Root)
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(Encoding.UTF8, Encoding.UTF8, kill.Token, cancellationToken);
    }

    private static Checkout? FindAbove(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Hazumu.sln")))
            {
                return new(folder.FullName);
            }
        }

        return null;
    }
}
