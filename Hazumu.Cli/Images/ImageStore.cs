using System.Text;
using System.Text.RegularExpressions;
using CliWrap;
using CliWrap.Buffered;

namespace Hazumu.Cli.Images;

/// <summary>How a pull ended.</summary>
internal enum PullOutcome
{
    /// <summary>The image is on this machine.</summary>
    Pulled,

    /// <summary>The registry cannot be reached.</summary>
    Unreachable,

    /// <summary>The registry answered, and the image cannot be pulled.</summary>
    Refused,
}

/// <summary>The result of a pull.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Reason">The reason of a failure, in the engine's words.</param>
internal sealed record PullResult(PullOutcome Outcome, string Reason = "");

/// <summary>The images of a container engine.</summary>
/// <param name="engine">The engine's command.</param>
/// <param name="progress">Receives sentences about what goes on.</param>
/// <param name="time">The clock.</param>
internal sealed partial class ImageStore(string engine, Action<string> progress, TimeProvider time)
{
    // A registry that cannot be reached may be silent for minutes, and the engine with it.
    private static readonly TimeSpan s_firstSign = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_limit = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(1);

    /// <summary>Whether an engine's message means that there is no way to a registry.</summary>
    /// <param name="message">The message.</param>
    public static bool IsUnreachable(string message) => Unreachable().IsMatch(message);

    /// <summary>Whether an image is on this machine.</summary>
    public async Task<bool> HasAsync(string image, CancellationToken cancellationToken) =>
        (await RunAsync(["image", "inspect", image], cancellationToken)).ExitCode == 0;

    /// <summary>Has an image on this machine: pulls it unless it is there.</summary>
    public async Task<PullResult> EnsureAsync(string image, CancellationToken cancellationToken) =>
        await HasAsync(image, cancellationToken) ? new(PullOutcome.Pulled) : await PullAsync(image, cancellationToken);

    /// <summary>Finds the newest image of a component that <c>eng/images-from-debian.sh</c> has built.</summary>
    /// <param name="component">The component: <c>prometheus</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public async Task<string?> FindDebianImageAsync(string component, CancellationToken cancellationToken)
    {
        var found = await RunAsync(
            ["images", "--filter", "label=hazumu.source=debian", "--filter", $"label=hazumu.component={component}", "--format", "{{.Repository}}:{{.Tag}}"], cancellationToken);
        var image = found.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(line => !line.Contains("<none>", StringComparison.Ordinal));

        // Docker leaves out its own registry and the path of official images; Aspire takes both from the reference.
        return image?.Split('/') switch
        {
            null => null,
            [var name] => $"docker.io/library/{name}",
            [var registry, ..] when registry == "localhost" || registry.AsSpan().IndexOfAny('.', ':') >= 0 => image,
            _ => $"docker.io/{image}",
        };
    }

    /// <summary>Writes an image as an archive that the engine can load.</summary>
    /// <exception cref="CliException">The engine failed.</exception>
    public async Task SaveAsync(string image, Stream output, CancellationToken cancellationToken)
    {
        var error = new StringBuilder();
        var save = await CliWrap.Cli.Wrap(engine)
            .WithArguments(["save", image])
            .WithStandardOutputPipe(PipeTarget.ToStream(output))
            .WithStandardErrorPipe(PipeTarget.ToStringBuilder(error))
            .WithValidation(CommandResultValidation.None)
            .ExecuteAsync(cancellationToken);
        if (save.ExitCode != 0)
        {
            throw new CliException($"'{engine} save {image}' failed: {error.ToString().Trim()}");
        }
    }

    /// <summary>Runs a command of the engine to its end.</summary>
    public async Task<BufferedCommandResult> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        await CliWrap.Cli.Wrap(engine).WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);

    private async Task<PullResult> PullAsync(string image, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var output = new LastLine();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var firstSign = time.CreateTimer(_ => { if (!output.HasSign) { stop.Cancel(); } }, null, s_firstSign, Timeout.InfiniteTimeSpan);
        using var limit = time.CreateTimer(_ => stop.Cancel(), null, s_limit, Timeout.InfiniteTimeSpan);
        using var report = time.CreateTimer(_ => progress($"Still pulling {image} ({time.GetElapsedTime(began).TotalSeconds:0} s)."), null, s_interval, s_interval);
        progress($"Pulling {image} ...");
        try
        {
            var pull = await CliWrap.Cli.Wrap(engine)
                .WithArguments(["pull", image])
                .WithStandardOutputPipe(PipeTarget.ToDelegate(output.Add))
                .WithStandardErrorPipe(PipeTarget.ToDelegate(output.Add))
                .WithValidation(CommandResultValidation.None)
                .ExecuteAsync(stop.Token);
            if (pull.ExitCode == 0)
            {
                progress($"Pulled {image} ({time.GetElapsedTime(began).TotalSeconds:0} s).");
                return new(PullOutcome.Pulled);
            }

            return new(IsUnreachable(output.Text) ? PullOutcome.Unreachable : PullOutcome.Refused, Preamble().Replace(output.Text, ""));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return output.HasSign
                ? new(PullOutcome.Refused, $"not finished within {s_limit.TotalMinutes:0} minutes; another try continues from what is here")
                : new(PullOutcome.Unreachable, $"no answer within {s_firstSign.TotalSeconds:0} s");
        }
    }

    [GeneratedRegex("no such host|connection refused|i/o timeout|network is unreachable|proxyconnect|Client.Timeout|TLS handshake timeout|server misbehaving|context deadline exceeded|Temporary failure in name resolution|no route to host|connection reset", RegexOptions.IgnoreCase)]
    private static partial Regex Unreachable();

    // The end of the engine's message is what matters: "dial tcp: lookup ghcr.io: no such host".
    [GeneratedRegex("""^(Error response from daemon|Error): *|.*Get "[^"]*": *""")]
    private static partial Regex Preamble();

    private sealed class LastLine
    {
        private volatile string _text = "";
        private volatile bool _hasSign;

        public string Text => _text;

        // Docker prints nothing, and Podman only what it tries, before the registry has answered.
        public bool HasSign => _hasSign;

        public void Add(string line)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                _text = line.Trim();
                _hasSign |= !line.StartsWith("Trying to pull", StringComparison.Ordinal);
            }
        }
    }
}
