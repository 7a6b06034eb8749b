namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>The change to a request so that it requests the usage.</summary>
internal enum UsageChange : byte
{
    /// <summary>Nothing: there is no stream, or the usage is requested already, or what is there cannot be understood.</summary>
    None,

    /// <summary>The options are added, behind the last member.</summary>
    AddOptions,

    /// <summary>The options take the place of null.</summary>
    SetOptions,

    /// <summary>The one option is put into options that are empty.</summary>
    FillOptions,

    /// <summary>The one option is put before others.</summary>
    AddOption,

    /// <summary>The option is set to true.</summary>
    SetOption,
}

/// <summary>
/// Requests the usage (<c>stream_options.include_usage</c>) in a client's name, for the operations that know it:
/// <c>/v1/chat/completions</c> and <c>/v1/completions</c>.
/// </summary>
internal static class UsageRequest
{
    /// <summary>
    /// The replacement for <see cref="RequestHeadResult.UsagePlace"/>; the rest of the body is not changed. Empty if no
    /// change is needed.
    /// </summary>
    public static ReadOnlySpan<byte> TextOf(UsageChange change) => change switch
    {
        UsageChange.AddOptions => ",\"stream_options\":{\"include_usage\":true}"u8,
        UsageChange.SetOptions => "{\"include_usage\":true}"u8,
        UsageChange.FillOptions => "\"include_usage\":true"u8,
        UsageChange.AddOption => "\"include_usage\":true,"u8,
        UsageChange.SetOption => "true"u8,
        _ => default,
    };
}
