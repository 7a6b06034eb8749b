using System.Globalization;
using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>The published application in its development form, run by Compose from a copy whose network and volumes have names of their own.</summary>
public class ComposeBackend : Backend
{
    private const int CapSysResource = 24;

    // A backend whose tests are skipped is never started.
    private readonly Lazy<DirectoryInfo> _folder = new(() => Directory.CreateTempSubdirectory("hazumu-compose-"));

    /// <summary>How many replicas of Ollama there are.</summary>
    public virtual int OllamaInstances => 1;

    /// <summary>The Compose files, by name.</summary>
    protected virtual IReadOnlyList<string> Files =>
        ["docker-compose.yaml", "docker-compose.development.yaml", .. Has(Component.Loki) ? ["docker-compose.logs.yaml", "docker-compose.development.logs.yaml"] : Array.Empty<string>(), .. Has(Component.LlamaServer) ? ["docker-compose.gguf.yaml", "docker-compose.development.gguf.yaml"] : Array.Empty<string>()];

    /// <summary>What Compose is told of services that have several containers.</summary>
    protected virtual IReadOnlyList<string> Scale => OllamaInstances > 1 ? ["--scale", $"ollama={OllamaInstances}"] : [];

    /// <summary>The services to start.</summary>
    protected virtual IEnumerable<string> Services => Components.Select(component => component.Service);

    /// <summary>The copy of the application, which goes with the graph.</summary>
    public DirectoryInfo Folder => _folder.Value;

    public override IReadOnlyList<Component> Components => ComposeCommand.Missing is not null ? []
        : GatewayImage.Missing is not null ? [.. base.Components.Where(component => component != Component.Gateway)]
        : base.Components;

    /// <inheritdoc/>
    protected override string? WhyMissing(IReadOnlyList<Component> components) => ComposeCommand.Missing
        ?? Component.WhyMissing(components)
        ?? (components.Contains(Component.Gateway) ? GatewayImage.Missing : null);

    public override async Task StartAsync()
    {
        CopyApplication();
        await PrepareAsync();
        var up = await ComposeAsync(["up", "--detach", "--wait", "--wait-timeout", "240", .. Scale, .. Services], StartLimit);
        if (!up.Succeeded)
        {
            throw new InvalidOperationException($"Compose could not start the application:\n{up.Output}\n{(await ComposeAsync(["logs", "--tail", "60"])).Output}");
        }
    }

    public override async Task StopAsync()
    {
        await ComposeOrThrowAsync("down", "--volumes", "--timeout", "10");
        Folder.Delete(recursive: true);
    }

    public override string NetworkOf(Component component) =>
        component == Component.CAdvisor || component == Component.NodeExporter ? $"{Name}-exporters" : Name;

    public override Task StopAsync(Component component) => ComposeOrThrowAsync("stop", component.Service);

    public override Task StartAsync(Component component) => ComposeOrThrowAsync("up", "--detach", "--wait", component.Service);

    public override async Task<bool> IsHealthyAsync(Component component)
    {
        var container = Assert.Single(await FindContainersAsync(component));
        return await ContainerCli.RunOrThrowAsync("inspect", "--format", "{{.State.Status}}/{{.State.Health.Status}}", container) == "running/healthy";
    }

    /// <summary>Runs a program in a component's container.</summary>
    /// <param name="component">The component.</param>
    /// <param name="command">The program and its arguments.</param>
    public async Task<CliResult> ExecuteAsync(Component component, params string[] command)
    {
        ArgumentNullException.ThrowIfNull(component);
        return await ComposeAsync(["exec", "-T", component.Service, .. command]);
    }

    /// <summary>Completes the copy of the application before it is started.</summary>
    protected virtual Task PrepareAsync() => Task.CompletedTask;

    private void CopyApplication()
    {
        var source = Published.Compose;
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(Folder.FullName, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            if (Path.GetExtension(file) == ".gguf")
            {
                File.Copy(file, target);
                continue;
            }

            var text = File.ReadAllText(file).Replace("hazumu-network", Name, StringComparison.Ordinal).Replace("hazumu-edge", $"{Name}-edge", StringComparison.Ordinal).Replace("hazumu-exporters", $"{Name}-exporters", StringComparison.Ordinal).Replace("hazumu-sources", $"{Name}-sources", StringComparison.Ordinal)
                // A dashboard has the same name.
                .Replace("name: \"hazumu-logs\"", $"name: \"{Name}-logs\"", StringComparison.Ordinal);
            foreach (var component in Component.All)
            {
                text = text.Replace($"{component.Service}_data", Volume(component), StringComparison.Ordinal);
            }

            File.WriteAllText(target, text);
        }
    }

    /// <summary>Runs Compose, which has to succeed.</summary>
    /// <param name="arguments">Arguments after the files.</param>
    protected async Task ComposeOrThrowAsync(params string[] arguments)
    {
        var result = await ComposeAsync(arguments);
        if (!result.Succeeded)
        {
            throw new InvalidOperationException($"Compose '{string.Join(' ', arguments)}' failed:\n{result.Output}");
        }
    }

    /// <summary>Runs Compose.</summary>
    /// <param name="arguments">Arguments after the files.</param>
    /// <param name="timeout">When it is ended; three minutes unless given.</param>
    protected Task<CliResult> ComposeAsync(string[] arguments, TimeSpan? timeout = null)
    {
        var compose = ComposeCommand.Find();
        return ProcessRunner.RunAsync(
            compose[0],
            [.. compose.Skip(1), "--project-name", Name, .. Files.SelectMany(file => new[] { "--file", file }), .. arguments],
            timeout ?? TimeSpan.FromMinutes(3),
            environment: Environment(),
            workingDirectory: Folder.FullName);
    }

    /// <summary>The variables that Compose gets beside the inherited ones.</summary>
    protected virtual Dictionary<string, string?> Environment()
    {
        // What the session's own settings may have changed is set back: the checks know the defaults.
        var environment = Component.All.Append(Component.LlamaServer).ToDictionary(component => $"Hazumu__{component.Section}__Port", component => (string?)Port(component).ToString(CultureInfo.InvariantCulture));
        if (OllamaInstances > 1)
        {
            // A port for each; the engine passes over those that are taken.
            environment["Hazumu__Ollama__Port"] = $"{Port(Component.Ollama)}-{Port(Component.Ollama) + 9}";
        }

        // The test model, by the name that the tests give it in Ollama.
        environment["MODEL_NAME"] = OllamaClient.TinyModelName;
        environment["Hazumu__BindAddress"] = "127.0.0.1";
        environment["Hazumu__Prometheus__Retention"] = "15d";
        environment["Hazumu__Ollama__Parallel"] = "1";
        environment["Hazumu__Gateway__RequireKeys"] = "false";
        environment["GRAFANA_ADMIN_USER"] = "admin";
        environment["GRAFANA_ADMIN_PASSWORD"] = "admin";
        if (System.Environment.GetEnvironmentVariable("Hazumu__CAdvisor__Privileged") is not ("true" or "false"))
        {
            environment["Hazumu__CAdvisor__Privileged"] = KernelGrants(CapSysResource) ? "true" : "false";
        }

        return environment;
    }

    // The AppHost finds this out by itself; Compose has to be told.
    private static bool KernelGrants(int capability)
    {
        var line = OperatingSystem.IsLinux() ? File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith("CapBnd:", StringComparison.Ordinal)) : null;
        return line is null || (ulong.Parse(line["CapBnd:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & (1UL << capability)) != 0;
    }
}
