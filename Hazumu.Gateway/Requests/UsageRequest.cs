using System.Buffers;

namespace Hazumu.Gateway.Requests;

/// <summary>What has to be done to a request so that it asks for the usage.</summary>
internal enum UsageChange : byte
{
    /// <summary>Nothing: there is no stream, or it is asked for already, or what is there cannot be understood.</summary>
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
/// Asks for the usage (<c>stream_options.include_usage</c>) in a client's name, for the operations that know it:
/// <c>/v1/chat/completions</c> and <c>/v1/completions</c>.
/// </summary>
internal static class UsageRequest
{
    /// <summary>Writes the body so that it asks for the usage; all else in it stays as it is, byte for byte.</summary>
    /// <param name="body">The whole body.</param>
    /// <param name="head">What was found in it.</param>
    /// <param name="output">Where the new body goes.</param>
    /// <returns>Whether there was something to change. Where not, nothing is written.</returns>
    public static bool TryWrite(ReadOnlySpan<byte> body, in RequestHeadResult head, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        var text = head.UsageChange switch
        {
            UsageChange.AddOptions => ",\"stream_options\":{\"include_usage\":true}"u8,
            UsageChange.SetOptions => "{\"include_usage\":true}"u8,
            UsageChange.FillOptions => "\"include_usage\":true"u8,
            UsageChange.AddOption => "\"include_usage\":true,"u8,
            UsageChange.SetOption => "true"u8,
            _ => default,
        };
        if (text.IsEmpty)
        {
            return false;
        }

        output.Write(body[..head.UsagePlace.Start]);
        output.Write(text);
        output.Write(body[head.UsagePlace.End..]);
        return true;
    }
}
