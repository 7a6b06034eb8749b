namespace Hazumu.Settings;

/// <summary>
/// Describes a setting: the messages about bad values, and the tests of the tables in the documentation, use this.
/// </summary>
/// <param name="description">The effect of the setting; <c>{0}</c> stands for the component's name.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string description) : Attribute
{
    /// <summary>The effect of the setting.</summary>
    public string Description { get; } = description;

    /// <summary>The allowed values; enumerations and booleans need none.</summary>
    public string? Allowed { get; set; }

    /// <summary>Names that this setting has replaced: a configuration that still has one is refused with the new name.</summary>
    public string[] Formerly { get; set; } = [];
}
