namespace Hazumu.Hosting.Settings;

/// <summary>Settings of cAdvisor.</summary>
public sealed class CAdvisorOptions : ComponentOptions
{
    /// <summary>Whether the container runs privileged.</summary>
    [Setting("Whether {0} runs privileged; `auto`: if the kernel allows it")]
    public AutoSwitch Privileged { get; set; } = AutoSwitch.Auto;
}
