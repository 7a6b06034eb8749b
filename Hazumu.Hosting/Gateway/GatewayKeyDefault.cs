using System.Security.Cryptography;
using Aspire.Hosting.Publishing;

namespace Hazumu.Hosting.Gateway;

/// <summary>
/// Makes a key as the gateway's own command does: <c>hzm_</c>, an id of 8 letters and digits, <c>_</c>, and a secret of
/// 43.
/// </summary>
internal sealed class GatewayKeyDefault : ParameterDefault
{
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <inheritdoc/>
    public override string GetDefaultValue() =>
        $"hzm_{RandomNumberGenerator.GetString(Alphabet, 8)}_{RandomNumberGenerator.GetString(Alphabet, 43)}";

    /// <inheritdoc/>
    public override void WriteToManifest(ManifestPublishingContext context) =>
        throw new NotSupportedException("A manifest cannot describe how a key of the gateway is created.");
}
