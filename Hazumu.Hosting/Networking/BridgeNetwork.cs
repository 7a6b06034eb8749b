using System.Text.RegularExpressions;
using Hazumu.Hosting.Containers;
using Hazumu.Hosting.Preflight;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hazumu.Hosting.Networking;

/// <summary>
/// The bridge network with an exact name. DCP names its networks itself and takes no other (microsoft/aspire#850), so
/// the engine
/// makes this one and each container is connected to it when it is ready. To be removed when Aspire lets an application
/// name its network.
/// </summary>
internal sealed class BridgeNetwork(HazumuOptions options, ContainerEngine engine, ResourceNotificationService notifications, ILoggerFactory loggers) : IHostedLifecycleService
{
    private const string OwnerLabel = "hazumu.owner=apphost";

    // So that the published application takes the network over where it is still in use; Compose refuses one without
    // these (docker/compose#10797).
    private static readonly string[] s_composeLabels = ["--label", "com.docker.compose.project=hazumu", "--label", "com.docker.compose.network=default"];

    private readonly ILogger _logger = loggers.CreateLogger("Hazumu");
    private readonly HashSet<string> _connected = [];
    private readonly Lock _lock = new();
    private Task _created = Task.CompletedTask;
    private bool _stopping;

    /// <summary>Begins to make the network, while DCP starts.</summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _created = CreateAsync(cancellationToken);

        // Ctrl+C during the start ends the process without StopAsync (DistributedApplication.RunAsync).
        AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
        return Task.CompletedTask;
    }

    /// <summary>Waits for the network.</summary>
    /// <exception cref="StartupProblemException">The engine refuses to make it.</exception>
    public Task StartAsync(CancellationToken cancellationToken) => _created;

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        if ((await engine.RunAsync(["network", "inspect", options.Network], cancellationToken)).IsSuccess)
        {
            return;
        }

        var created = await engine.RunAsync(["network", "create", "--driver", "bridge", "--label", OwnerLabel, .. s_composeLabels, options.Network], cancellationToken);
        if (!created.IsSuccess)
        {
            throw new StartupProblemException($"The network '{options.Network}' cannot be created ({created.StandardError.Trim()}); set {HazumuOptions.SectionName}:{nameof(HazumuOptions.Network)} to another name, or repair the container engine.");
        }
    }

    /// <summary>Connects a running container under its resource's name.</summary>
    /// <exception cref="InvalidOperationException">The container is gone or the engine refuses.</exception>
    public async Task ConnectAsync(IResource resource, CancellationToken cancellationToken)
    {
        await _created;
        var container = RunningContainer.GetId(notifications, resource);
        lock (_lock)
        {
            if (_stopping)
            {
                return;
            }

            _connected.Add(container);
        }

        var connect = await engine.RunAsync(["network", "connect", "--alias", resource.Name, options.Network, container], cancellationToken);
        if (!connect.IsSuccess && !IsConnectedAlready(connect.StandardError))
        {
            _logger.LogError("'{Resource}' could not join the network '{Network}': {Error}", resource.Name, options.Network, connect.StandardError.Trim());
            throw new InvalidOperationException($"'{resource.Name}' could not join the network '{options.Network}': {connect.StandardError.Trim()}");
        }
    }

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Takes our containers off the network, and removes the network if this host created it and nothing else is on it.
    /// DCP removes the containers only after this, and would leave the network behind.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
        await RemoveAsync(cancellationToken);
    }

    private async Task RemoveAsync(CancellationToken cancellationToken)
    {
        string[] containers;
        lock (_lock)
        {
            _stopping = true;
            containers = [.. _connected];
        }

        // A container that is gone already is off the network: its error says so and changes nothing.
        await Task.WhenAll(containers.Select(container =>
            engine.RunAsync(["network", "disconnect", "--force", options.Network, container], cancellationToken)));

        var ours = await engine.RunAsync(["network", "ls", "--quiet", "--filter", $"label={OwnerLabel}", "--filter", $"name=^{Regex.Escape(options.Network)}$"], cancellationToken);
        foreach (var id in ours.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var removed = await engine.RunAsync(["network", "rm", id], cancellationToken);
            if (!removed.IsSuccess)
            {
                _logger.LogInformation("The network '{Network}' stays, because something else uses it: {Reason}", options.Network, removed.StandardError.Trim());
            }
        }
    }

    private void OnProcessExit(object? sender, EventArgs e) => RemoveAsync(CancellationToken.None).Wait(TimeSpan.FromSeconds(5));

    // Docker's words, then Podman's.
    private static bool IsConnectedAlready(string error) =>
        error.Contains("already exists", StringComparison.OrdinalIgnoreCase) || error.Contains("already connected", StringComparison.OrdinalIgnoreCase);
}
