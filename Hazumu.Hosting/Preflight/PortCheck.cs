using System.Net;
using System.Net.Sockets;
using Hazumu.Hosting.Containers;

namespace Hazumu.Hosting.Preflight;

/// <summary>Finds ports that are requested twice or taken already, and the program that holds them.</summary>
internal sealed class PortCheck(ContainerEngine engine)
{
    /// <summary>One sentence for each port that cannot be bound.</summary>
    public async Task<IReadOnlyList<string>> FindProblemsAsync(IEnumerable<HostPort> ports, CancellationToken cancellationToken)
    {
        var problems = new List<string>();
        foreach (var group in ports.GroupBy(port => port.Port))
        {
            var first = group.First();
            if (group.Skip(1).FirstOrDefault() is { } second)
            {
                problems.Add($"Port {group.Key} is requested by {first.Owner} and by {second.Owner}; change {second.Setting}.");
            }
            else if (IsTaken(first.Address, first.Port))
            {
                problems.Add($"Port {first.Port} of {first.Address}, for {first.Owner}, is taken{await DescribeHolderAsync(first.Port, cancellationToken)}; stop that program, or set {first.Setting} to a free port.");
            }
        }

        return problems;
    }

    /// <summary>Whether a port of this machine cannot be bound.</summary>
    /// <exception cref="StartupProblemException">This machine has no such address.</exception>
    public static bool IsTaken(IPAddress address, int port)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (OperatingSystem.IsWindows())
        {
            socket.ExclusiveAddressUse = true;
        }
        else if (OperatingSystem.IsLinux())
        {
            // As the engine binds: a port in TIME_WAIT is free. Elsewhere this would let two programs share a port.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        }

        try
        {
            socket.Bind(new IPEndPoint(address, port));
            return false;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
        {
            return true;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressNotAvailable)
        {
            throw new StartupProblemException($"This machine has no address {address}; set {HazumuOptions.SectionName}:{nameof(HazumuOptions.BindAddress)} to one of its addresses, 127.0.0.1 or 0.0.0.0.");
        }
    }

    private async Task<string> DescribeHolderAsync(int port, CancellationToken cancellationToken)
    {
        var containers = await engine.RunAsync(["ps", "--filter", $"publish={port}", "--format", "{{.Names}}"], cancellationToken);
        var container = containers.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault();
        return container is not null ? $" by the container '{container}'"
            : ProcessTable.FindListener(port) is { } process ? $" by {process}"
            : "";
    }
}
