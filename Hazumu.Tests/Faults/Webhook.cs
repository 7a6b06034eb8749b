using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Hazumu.Tests.Faults;

/// <summary>An alert in a notification.</summary>
/// <param name="At">When the notification arrived.</param>
/// <param name="Name">The alert's name.</param>
/// <param name="Severity">Its severity.</param>
/// <param name="Labels">All its labels, which tell one from another of the same name.</param>
/// <param name="IsFiring">Whether it fires; it is resolved otherwise.</param>
public sealed record Told(DateTimeOffset At, string Name, string Severity, string Labels, bool IsFiring);

/// <summary>What people see: it takes Alertmanager's webhook, and keeps what came and when.</summary>
public sealed class Webhook : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentQueue<Told> _told = new();
    private Task _listening = Task.CompletedTask;

    /// <summary>The port that it listens on, at every address of this machine: containers have to reach it.</summary>
    public int Port { get; } = FindFreePort();

    /// <summary>Everything that came, in its order.</summary>
    public IReadOnlyCollection<Told> All => _told;

    /// <summary>Begins to listen.</summary>
    public void Start()
    {
        _listener.Prefixes.Add($"http://+:{Port}/");
        _listener.Start();
        _listening = ListenAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Close();

    private async Task ListenAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            var at = DateTimeOffset.UtcNow;
            var notification = await JsonSerializer.DeserializeAsync<JsonElement>(context.Request.InputStream);
            foreach (var alert in notification.GetProperty("alerts").EnumerateArray())
            {
                var labels = alert.GetProperty("labels");
                _told.Enqueue(new(
                    at,
                    labels.GetProperty("alertname").GetString()!,
                    labels.GetProperty("severity").GetString()!,
                    labels.GetRawText(),
                    alert.GetProperty("status").GetString() == "firing"));
            }

            context.Response.Close();
        }
    }

    private static int FindFreePort()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
