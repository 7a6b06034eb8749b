using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace Hazumu.Hosting.Settings;

/// <summary>Settings that every component has.</summary>
public class ComponentOptions
{
    /// <summary>Whether the component is part of the graph.</summary>
    [Setting("Whether {0} is part of the graph")]
    public bool Enabled { get; set; } = true;

    /// <summary>The host port, from 1 to 65535.</summary>
    [Setting("The host port of {0}", Allowed = "a port from 1 to 65535")]
    [Range(1, 65535)]
    public int Port { get; set; }

    /// <summary>The image to run instead of the default; parts not given keep their default.</summary>
    [Setting("The image of {0}, instead of the default one", Allowed = "an image reference such as 'registry.example/repository:tag'")]
    [ImageReference]
    public string? Image { get; set; }

    /// <summary>The key below <c>Hazumu</c>: <c>Prometheus</c>.</summary>
    internal string Section { get; set; } = "";

    /// <summary>The value of the container label <c>hazumu.service</c>: <c>prometheus</c>.</summary>
    internal string Service => Section.ToLowerInvariant();

    /// <summary>The first resource that was created from these settings, also if it is not part of the graph.</summary>
    internal IComputeResource? Resource { get; set; }

    /// <summary>The options that the component is part of; the defaults where it is used alone.</summary>
    internal HazumuOptions Host
    {
        get => field ??= new();
        set;
    }

    /// <summary>Every host port of the component, with the name of its setting.</summary>
    internal IEnumerable<(PropertyInfo Setting, int Port)> Ports =>
        from property in GetType().GetProperties()
        where property.PropertyType == typeof(int) && property.Name.EndsWith(nameof(Port), StringComparison.Ordinal)
        select (property, (int)property.GetValue(this)!);

    /// <summary>The address that the ports bind to, as a Compose variable and as a value.</summary>
    internal virtual (string Variable, string Value) Address =>
        ($"${{{HazumuOptions.SectionName}__{nameof(HazumuOptions.BindAddress)}:-{Host.BindAddress}}}", Host.BindAddress);

    /// <summary>
    /// Writes a setting as a Compose variable whose default is the setting's value:
    /// <c>${Hazumu__Ollama__Parallel:-1}</c>.
    /// </summary>
    /// <param name="setting">The setting below the component's section.</param>
    /// <param name="value">Its value.</param>
    internal string Variable(string setting, object value) => $"${{{HazumuOptions.SectionName}__{Section}__{setting}:-{Format(value)}}}";

    /// <summary>Formats a value so that Compose and .NET configuration both read it.</summary>
    /// <param name="value">The value.</param>
    internal static string Format(object value) => value is bool flag ? (flag ? "true" : "false") : Convert.ToString(value, CultureInfo.InvariantCulture)!;
}

/// <summary>Settings of a component that keeps data.</summary>
public class StoringComponentOptions : ComponentOptions
{
    /// <summary>The exact name of the volume that holds the data.</summary>
    [Setting("The volume that holds the data of {0}", Allowed = HazumuOptions.NameRule)]
    [RegularExpression(HazumuOptions.NamePattern)]
    public string Volume { get; set; } = "";
}
