using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Hazumu.Hosting.LlamaServer;
using Hazumu.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Hazumu.Tests.Integration;

/// <summary>The graph as the AppHost runs it.</summary>
public class AppHostBackend : Backend
{
    private DistributedApplication? _application;

    private DistributedApplication Application => _application ?? throw new InvalidOperationException("The graph does not run.");

    private int ManagementPort { get; } = FindFreePort();

    // The gateway's keys, and what the engine mounts.
    private string OwnFolder => Path.Combine(Path.GetTempPath(), Name);

    /// <summary>Models to have ready at the next start.</summary>
    public string Models { get; set; } = "";

    /// <summary>Options that set what no test may share with a developer's running host.</summary>
    public virtual string[] Options =>
    [
        .. DefaultOptions.All,
        $"--Hazumu:Network={Name}",
        $"--Hazumu:Models={Models}",
        .. Component.All.Append(Component.LlamaServer).SelectMany(component => new[]
        {
            $"--Hazumu:{component.Section}:Port={Port(component)}",
            $"--Hazumu:{component.Section}:Enabled={Has(component)}",
            $"--Hazumu:{component.Section}:Image={(IsContainer(component) ? component.Image : "")}",
        }),
        $"--Hazumu:Gateway:ManagementPort={ManagementPort}",
        $"--Hazumu:Gateway:KeysFile={Path.Combine(OwnFolder, "keys.json")}",
        .. new[] { Component.Ollama, Component.Prometheus, Component.Grafana, Component.Alertmanager, Component.Loki, Component.Alloy }.Select(component => $"--Hazumu:{component.Section}:Volume={Volume(component)}"),
    ];

    /// <summary>The gateway is a process of this machine, so that .NET engineers can debug it.</summary>
    public override bool IsContainer(Component component) => component != Component.Gateway;

    public override async Task<string> LogAsync(Component component)
    {
        if (IsContainer(component))
        {
            return await base.LogAsync(component);
        }

        var log = new StringBuilder($"The log of '{component}':\n");
        var resource = Application.Services.GetRequiredService<DistributedApplicationModel>().Resources.Single(resource => resource.Name == component.Service);
        await foreach (var lines in Application.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(resource))
        {
            log.AppendJoin('\n', lines.TakeLast(60).Select(line => line.Content)).Append('\n');
        }

        return log.ToString();
    }

    public override async Task StartAsync()
    {
        // By the name that the tests give it in Ollama.
        if (Has(Component.LlamaServer) && !Has(Component.Ollama))
        {
            Models = Path.Combine(Directory.CreateDirectory(OwnFolder).FullName, $"{OllamaClient.TinyModelName.Split(':')[0]}.gguf");
            await File.WriteAllBytesAsync(Models, TinyModel.File);
        }

        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Hazumu_AppHost>(Options);
        _application = await builder.BuildAsync();
        await _application.StartAsync().WaitAsync(StartLimit);

        foreach (var component in Components)
        {
            await WaitUntilHealthyAsync(component);
        }
    }

    public override async Task StopAsync()
    {
        if (_application is { } application)
        {
            _application = null;
            try
            {
                await application.StopAsync().WaitAsync(StartLimit);
            }
            finally
            {
                await application.DisposeAsync();
                if (Directory.Exists(OwnFolder))
                {
                    Directory.Delete(OwnFolder, recursive: true);
                }
            }
        }
    }

    public override Task StopAsync(Component component) => ExecuteAsync(component, KnownResourceCommands.StopCommand);

    public override async Task StartAsync(Component component)
    {
        await ExecuteAsync(component, KnownResourceCommands.StartCommand);
        // The end of the container that was stopped may be reported late; it must not be taken for the new one's.
        await WaitUntilHealthyAsync(component, WaitBehavior.WaitOnResourceUnavailable);
    }

    public override Task<bool> IsHealthyAsync(Component component) => Task.FromResult(
        Application.ResourceNotifications.TryGetCurrentState(component.Service, out var state)
            && state.Snapshot is { HealthStatus: HealthStatus.Healthy, State.Text: "Running" });

    /// <summary>Runs a program in a component's container.</summary>
    /// <param name="component">The component.</param>
    /// <param name="command">The program and its arguments.</param>
    public async Task RunInAsync(Component component, params string[] command) =>
        await ContainerCli.RunOrThrowAsync(["exec", Assert.Single(await FindContainersAsync(component)), .. command]);

    /// <summary>Waits for a model's resource.</summary>
    /// <param name="resource">The resource's name.</param>
    public Task WaitUntilModelIsReadyAsync(string resource) => Wait.UntilAsync(
        $"the model '{resource}' to be ready",
        TimeSpan.FromSeconds(60),
        () =>
        {
            Assert.True(Application.ResourceNotifications.TryGetCurrentState(resource, out var state));
            // The Toolkit names the source once it looks for the model; "Running" after that means found, or pulled.
            Assert.Contains(state.Snapshot.Properties, property => property.Name == CustomResourceKnownProperties.Source);
            Assert.Equal((KnownResourceStates.Running, HealthStatus.Healthy), (state.Snapshot.State?.Text, state.Snapshot.HealthStatus));
            return Task.CompletedTask;
        },
        () => LogAsync(Component.Ollama));

    /// <summary>Runs a command of the dashboard.</summary>
    /// <param name="component">The component.</param>
    /// <param name="command">The command's name.</param>
    public Task ExecuteAsync(Component component, string command) => ExecuteAsync(component.Service, command);

    /// <summary>Runs a command of the dashboard.</summary>
    /// <param name="resource">The resource's name.</param>
    /// <param name="command">The command's name.</param>
    public async Task<ExecuteCommandResult> ExecuteAsync(string resource, string command)
    {
        var result = await Application.ResourceCommands.ExecuteCommandAsync(resource, command);
        Assert.True(result.Success, $"'{command}' of '{resource}' failed: {result.Message}\n{result.Data?.Value}");
        return result;
    }

    /// <summary>Runs a command of the dashboard about a model.</summary>
    /// <param name="command">The command's name.</param>
    /// <param name="model">The model's name.</param>
    public Task<ExecuteCommandResult> ExecuteForModelAsync(string command, string model) => Application.ResourceCommands.ExecuteCommandAsync(
        Component.Ollama.Service,
        command,
        new InteractionInputCollection([new InteractionInput { Name = "model", InputType = InputType.Text, Value = model }]));

    // WaitForResourceHealthyAsync may wait for ever, without a word (microsoft/aspire#13714): it is bounded, and ends early at a
    // resource that has failed. To be simplified when that is fixed.
    private async Task WaitUntilHealthyAsync(Component component, WaitBehavior behavior = WaitBehavior.StopOnResourceUnavailable)
    {
        using var limit = new CancellationTokenSource(StartLimit);
        try
        {
            await Application.ResourceNotifications.WaitForResourceHealthyAsync(component.Service, behavior, limit.Token);
        }
        catch (Exception error) when (error is OperationCanceledException or DistributedApplicationException)
        {
            Application.ResourceNotifications.TryGetCurrentState(component.Service, out var state);
            throw new TimeoutException($"'{component}' is {state?.Snapshot.State?.Text} and not healthy. {await LogAsync(component)}", error);
        }
    }
}
