using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>
/// The registries that an instance may be sent to. The name of a model can have a host before it, and Ollama then connects to that: a key
/// that may pull could reach every address that the instance reaches.
/// </summary>
internal static class Registries
{
    private const string Default = "registry.ollama.ai";
    private const string SchemeEnd = "://";

    /// <summary>Why a request that moves models is refused, or <see langword="null"/>.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="head">The request's body.</param>
    /// <param name="allowed">The setting.</param>
    public static GatewayRefusal? Check(Operation operation, in RequestHeadResult head, IReadOnlyList<string> allowed)
    {
        // Ollama pulls the model that another is created from, if it has not got it.
        if (operation.Name is not ("pull" or "push" or "create"))
        {
            return null;
        }

        foreach (var (property, model) in head.Named ?? [])
        {
            var host = HostOf(model);
            if (host.Length > 0 && !host.Equals(Default, StringComparison.OrdinalIgnoreCase) && !IsAllowed(host, allowed, isInsecure: false))
            {
                return GatewayRefusal.Forbidden($"'{property}' names the registry '{host}', and models move only from and to {Default}; the gateway's operator can add others to 'Gateway:Registries'.");
            }

            if (head.IsInsecure && !IsAllowed(host, allowed, isInsecure: true))
            {
                return GatewayRefusal.Forbidden("'insecure' is for registries without TLS; the gateway's operator can add those to 'Gateway:Registries', as 'http://' and the host.");
            }
        }

        return null;
    }

    // As Ollama takes a name apart, from its end (types/model/name.go).
    private static ReadOnlySpan<char> HostOf(string? model)
    {
        var name = model.AsSpan().Trim();
        var scheme = name.IndexOf(SchemeEnd, StringComparison.Ordinal);
        if (scheme >= 0)
        {
            name = name[(scheme + SchemeEnd.Length)..];
        }

        var last = name.LastIndexOf('/');
        var host = last < 0 ? -1 : name[..last].LastIndexOf('/');
        return host < 0 ? [] : name[..host];
    }

    private static bool IsAllowed(ReadOnlySpan<char> host, IReadOnlyList<string> allowed, bool isInsecure)
    {
        foreach (var text in allowed)
        {
            var withoutTls = text.StartsWith(RegistriesAttribute.Insecure, StringComparison.Ordinal);
            if ((withoutTls || !isInsecure) && host.Equals(withoutTls ? text.AsSpan(RegistriesAttribute.Insecure.Length) : text, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
