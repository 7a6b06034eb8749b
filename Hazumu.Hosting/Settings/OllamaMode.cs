namespace Hazumu.Hosting.Settings;

/// <summary>The place of the Ollama that the gateway uses.</summary>
public enum OllamaMode
{
    /// <summary>In containers of the graph.</summary>
    Container,

    /// <summary>Installed on this machine, such as on macOS, where containers have no GPU.</summary>
    Host,

    /// <summary>There is none.</summary>
    None,
}
