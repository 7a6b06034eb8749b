using System.Diagnostics;
using Hazumu.Cli;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Cli;

public sealed class ForegroundProcessTests
{
    [Fact]
    public async Task Canceled_program_is_killed_with_its_children_at_the_limit()
    {
        Skip.If(Shell.Missing);
        var folder = Directory.CreateTempSubdirectory("hazumu-cli-");
        try
        {
            var file = Path.Combine(folder.FullName, "child");
            using var stop = new CancellationTokenSource();
            var start = new ProcessStartInfo("bash", ["-c", "sleep 300 & echo $! > \"$1.new\"; mv \"$1.new\" \"$1\"; wait", "bash", file]);
            var run = ForegroundProcess.RunAsync(start, TimeSpan.FromMilliseconds(100), stop.Token);
            await Wait.UntilAsync("the child", TimeSpan.FromSeconds(30), () =>
            {
                Assert.True(File.Exists(file));
                return Task.CompletedTask;
            });
            using var child = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(file), System.Globalization.CultureInfo.InvariantCulture));

            await stop.CancelAsync();

            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
            Assert.True(child.WaitForExit(TimeSpan.FromSeconds(10)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Script_that_builds_images_is_interrupted_by_a_cancellation()
    {
        Skip.If(Shell.Missing);
        Skip.If(IsInterruptIgnored() ? "SIGINT is ignored in this session, as in a shell's background job: no script can trap it" : null);
        using var engine = await FakeEngine.CreateAsync(
            "echo 'dial tcp: no such host' >&2; exit 1",
            buildScript: "case $1 in --list) echo prometheus ;; *) trap 'touch removed; exit 130' INT; touch started; while :; do sleep 0.1; done ;; esac");
        using var stop = new CancellationTokenSource();

        var preparation = engine.PrepareAsync(stop.Token, FakeEngine.Component("Prometheus", "docker.io/prom/prometheus:v3.14.0"));
        await Wait.UntilAsync("the script", TimeSpan.FromSeconds(30), () =>
        {
            Assert.True(File.Exists(Path.Combine(engine.Checkout.Root, "started")));
            return Task.CompletedTask;
        });
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => preparation);
        Assert.True(File.Exists(Path.Combine(engine.Checkout.Root, "removed")));
    }

    // Signals that a process ignores are ignored by its children too.
    private static bool IsInterruptIgnored()
    {
        const string Field = "SigIgn:";
        const ulong Interrupt = 1 << 1;
        return OperatingSystem.IsLinux()
            && File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal)) is { } line
            && (Convert.ToUInt64(line[Field.Length..].Trim(), 16) & Interrupt) != 0;
    }
}
