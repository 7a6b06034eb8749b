namespace Hazumu.Settings;

/// <summary>Describes a setting: the README's table and the messages about bad values are made of this.</summary>
/// <param name="description">What the setting does; <c>{0}</c> stands for the component's name.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string description) : Attribute
{
    /// <summary>What the setting does.</summary>
    public string Description { get; } = description;

    /// <summary>What values are allowed; enumerations and booleans say so by themselves.</summary>
    public string? Allowed { get; set; }

    /// <summary>Names that this setting has replaced: a configuration that still has one is refused with the new name.</summary>
    public string[] Formerly { get; set; } = [];
}
