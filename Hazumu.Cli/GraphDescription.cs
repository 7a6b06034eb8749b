using System.Text.Json;

namespace Hazumu.Cli;

/// <summary>
/// The graph as the AppHost resolves it from its settings; <c>--print-graph=FILE</c> writes it there as JSON.
/// </summary>
public sealed record GraphDescription
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web) { WriteIndented = true, RespectRequiredConstructorParameters = true };

    /// <summary>The container engine's command: <c>docker</c> or <c>podman</c>.</summary>
    public required string Engine { get; init; }

    /// <summary>Why the engine cannot be used, or <see langword="null"/> if it answers.</summary>
    public string? EngineProblem { get; init; }

    /// <summary>The host's folder with the engine's volumes.</summary>
    public required string VolumesFolder { get; init; }

    /// <summary>Every component, also those that are not enabled.</summary>
    public required IReadOnlyList<GraphComponent> Components { get; init; }

    /// <summary>Whether the gateway has an engine that is no component of the graph.</summary>
    public bool HasEngineElsewhere { get; init; }

    /// <summary>Settings that the AppHost derives from the host, for a published application, which cannot: <c>Hazumu__CAdvisor__Privileged</c>.</summary>
    public IReadOnlyDictionary<string, string> HostSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>Finds a component by its section.</summary>
    /// <param name="section">The section: <c>Prometheus</c>.</param>
    public GraphComponent this[string section] => Components.Single(component => component.Section == section);

    /// <summary>Reads the file that <c>--print-graph</c> wrote.</summary>
    /// <param name="path">The file.</param>
    public static GraphDescription Read(string path) => JsonSerializer.Deserialize<GraphDescription>(File.ReadAllText(path), s_json)!;

    /// <summary>Writes the graph.</summary>
    /// <param name="path">The file.</param>
    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, s_json));
}

/// <summary>A component of the graph.</summary>
/// <param name="Section">The section below <c>Hazumu</c> in configuration: <c>Prometheus</c>.</param>
/// <param name="Enabled">Whether the component is part of the graph.</param>
/// <param name="EnabledSetting">The value of <c>Hazumu:{Section}:Enabled</c>, or <see langword="null"/> if it is not
/// set.</param>
/// <param name="Image">The whole reference of the image.</param>
/// <param name="ImageSetting">The value of <c>Hazumu:{Section}:Image</c>, or <see langword="null"/> if it is not
/// set.</param>
/// <param name="IsBuilt">Whether the image is built from the checkout, so that no registry has it.</param>
/// <param name="Address">The address on this machine.</param>
public sealed record GraphComponent(string Section, bool Enabled, bool? EnabledSetting, string Image, string? ImageSetting, bool IsBuilt, Uri Address)
{
    /// <summary>The name of the resource: <c>prometheus</c>.</summary>
    public string Name => Section.ToLowerInvariant();
}
