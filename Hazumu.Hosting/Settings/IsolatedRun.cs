using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Settings;

/// <summary>
/// Gives the graph of <c>aspire run --isolated</c> free ports, and a network and volumes of its checkout's own, so that
/// it runs beside another one. A value that is set stays.
/// </summary>
internal static class IsolatedRun
{
    /// <summary>
    /// Whether the run is isolated, which Aspire's CLI says by this key. Aspire then gives its dashboard free ports.
    /// </summary>
    /// <param name="configuration">The application's configuration.</param>
    public static bool IsIsolated(IConfiguration configuration) => configuration.GetValue<bool>("DcpPublisher:RandomizePorts");

    /// <summary>Changes the settings of an isolated run.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="configuration">The configuration that they were read from.</param>
    /// <param name="folder">The AppHost's folder.</param>
    public static void Apply(HazumuOptions options, IConfiguration configuration, string folder)
    {
        if (!IsIsolated(configuration))
        {
            return;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder)))[..8];
        options.Network = Chosen(nameof(options.Network)) ?? $"{options.Network}-{hash}";
        using var ports = new FreePorts();
        foreach (var component in options.Components)
        {
            foreach (var (setting, _) in component.Ports.Where(port => Chosen($"{component.Section}:{port.Setting.Name}") is null))
            {
                setting.SetValue(component, ports.Next());
            }

            if (component is StoringComponentOptions storing && Chosen($"{component.Section}:Volume") is null)
            {
                storing.Volume = $"{storing.Volume}_{hash}";
            }
        }

        string? Chosen(string key) => configuration[$"{HazumuOptions.SectionName}:{key}"];
    }

    // All are held until the last is found: the system would give the same one again.
    private sealed class FreePorts : IDisposable
    {
        private readonly List<TcpListener> _held = [];

        public int Next()
        {
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            _held.Add(listener);
            return ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        public void Dispose() => _held.ForEach(listener => listener.Dispose());
    }
}
