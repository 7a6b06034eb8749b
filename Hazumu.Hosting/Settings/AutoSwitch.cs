namespace Hazumu.Hosting.Settings;

/// <summary>A setting that may be left to what the host allows.</summary>
public enum AutoSwitch
{
    /// <summary>On where the host allows it.</summary>
    Auto,

    /// <summary>On.</summary>
    True,

    /// <summary>Off.</summary>
    False,
}
