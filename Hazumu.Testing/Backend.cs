using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Hazumu.Testing;

/// <summary>
/// A running graph under names and ports of its own, beside whatever else runs on the machine. It starts once for a test class and
/// leaves nothing behind, also when the start fails.
/// </summary>
public abstract class Backend : IAsyncLifetime
{
    /// <summary>How long the slowest component may take to become healthy.</summary>
    public static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(5);

    private readonly Dictionary<Component, int> _ports = Component.All.Append(Component.LlamaServer).ToDictionary(component => component, _ => FindFreePort());

    /// <summary>Names the network; volumes begin with it.</summary>
    public string Name { get; } = $"hazumu-test-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>The components whose images can be had here.</summary>
    public virtual IReadOnlyList<Component> Components { get; } =
        [.. Component.All.Append(Component.Engine).Distinct().Where(component => component.Missing is null)];

    /// <summary>A client for the components' HTTP interfaces.</summary>
    public HttpClient Http { get; } = new() { Timeout = TimeSpan.FromSeconds(60) };

    /// <summary>Prometheus' API.</summary>
    public PrometheusClient Prometheus => new(Http, Url(Component.Prometheus));

    /// <summary>Whether a component is part of the graph.</summary>
    /// <param name="component">The component.</param>
    public bool Has(Component component) => Components.Contains(component);

    /// <summary>Whether a component is a container of this graph; it is another process of this machine otherwise.</summary>
    /// <param name="component">The component.</param>
    public virtual bool IsContainer(Component component) => true;

    /// <summary>A network that the component's container is in.</summary>
    /// <param name="component">The component.</param>
    public virtual string NetworkOf(Component component) => Name;

    /// <summary>The component's host port.</summary>
    /// <param name="component">The component.</param>
    public int Port(Component component) => _ports[component];

    /// <summary>The component's address on this machine.</summary>
    /// <param name="component">The component.</param>
    public Uri Url(Component component) => new($"http://127.0.0.1:{Port(component)}/");

    /// <summary>The name of a component's volume.</summary>
    /// <param name="component">The component.</param>
    public string Volume(Component component) => $"{Name}_{component.Service}_data";

    /// <summary>Skips the running test if this graph cannot have on this machine what the test needs.</summary>
    /// <param name="components">The components that it needs.</param>
    public void SkipIfMissing(params IReadOnlyList<Component> components) => Skip.If(WhyMissing(components));

    /// <summary>Why this graph cannot have components on this machine, or <see langword="null"/> where it can.</summary>
    /// <param name="components">The components; none means the graph itself.</param>
    protected virtual string? WhyMissing(IReadOnlyList<Component> components) => ContainerCli.Missing ?? Component.WhyMissing(components);

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Components.Count == 0)
        {
            return;
        }

        try
        {
            await StartAsync();
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (Components.Count > 0)
        {
            try
            {
                await StopAsync();
            }
            finally
            {
                await RemoveLeftoversAsync();
            }
        }
    }

    /// <summary>Starts the graph and waits until every component is healthy.</summary>
    public abstract Task StartAsync();

    /// <summary>Stops the graph; volumes stay.</summary>
    public abstract Task StopAsync();

    /// <summary>Stops one component as a person would.</summary>
    /// <param name="component">The component.</param>
    public abstract Task StopAsync(Component component);

    /// <summary>Starts a stopped component again as a person would.</summary>
    /// <param name="component">The component.</param>
    public abstract Task StartAsync(Component component);

    /// <summary>Whether Aspire or Compose, which runs the graph, reports the component as healthy.</summary>
    /// <param name="component">The component.</param>
    public abstract Task<bool> IsHealthyAsync(Component component);

    /// <summary>Sends a signal to a component's program.</summary>
    /// <param name="component">The component.</param>
    /// <param name="signal">The signal's name, such as <c>HUP</c>.</param>
    public async Task SignalAsync(Component component, string signal)
    {
        foreach (var container in await FindContainersAsync(component))
        {
            await ContainerCli.RunOrThrowAsync("kill", "--signal", signal, container);
        }
    }

    /// <summary>The last lines of a component's log, for a message.</summary>
    /// <param name="component">The component.</param>
    public virtual async Task<string> LogAsync(Component component)
    {
        ArgumentNullException.ThrowIfNull(component);

        var containers = await FindContainersAsync(component);
        return containers.Length == 0
            ? $"'{component}' has no container."
            : $"The log of '{component}':\n{(await ContainerCli.RunAsync("logs", "--tail", "60", containers[0])).Output}";
    }

    /// <summary>The identifiers of a component's containers, running or not.</summary>
    /// <param name="component">The component; all unless given.</param>
    protected async Task<string[]> FindContainersAsync(Component? component = null)
    {
        string[] filters = component is null ? [] : ["--filter", $"label=hazumu.service={component.Service}"];
        var containers = await ContainerCli.RunOrThrowAsync(["ps", "--all", "--quiet", "--no-trunc", "--filter", $"label=hazumu.network={Name}", .. filters]);
        return containers.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    // The containers of the graph are removed asynchronously; volumes and network can be removed only after them.
    private async Task RemoveLeftoversAsync()
    {
        try
        {
            await Wait.UntilAsync("the containers to be gone", TimeSpan.FromSeconds(60), async () =>
                Assert.Empty(await FindContainersAsync()));
        }
        finally
        {
            await RemoveByForceAsync();
        }
    }

    private async Task RemoveByForceAsync()
    {
        foreach (var container in await FindContainersAsync())
        {
            await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", container);
        }

        var volumes = (await ContainerCli.RunOrThrowAsync("volume", "ls", "--quiet", "--filter", $"name={Name}")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var volume in volumes)
        {
            await ContainerCli.RunOrThrowAsync("volume", "rm", volume);
        }

        if ((await ContainerCli.RunAsync("network", "inspect", Name)).Succeeded)
        {
            await ContainerCli.RunOrThrowAsync("network", "rm", Name);
        }
    }

    /// <summary>A port on which no process listens now.</summary>
    public static int FindFreePort()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
