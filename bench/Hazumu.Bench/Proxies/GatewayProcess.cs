using Hazumu.Bench.Processes;

namespace Hazumu.Bench.Proxies;

/// <summary>The gateway as a process, configured by its environment.</summary>
internal static class GatewayProcess
{
    /// <summary>The path of the gateway from a build with the same configuration as this program.</summary>
    public static string DefaultPath
    {
        get
        {
            var output = new DirectoryInfo(AppContext.BaseDirectory);
            var configuration = output.Parent!;
            var root = configuration.Parent!.Parent!.Parent!.Parent!;
            return Path.Combine(
                root.FullName, "Hazumu.Gateway", "bin", configuration.Name, output.Name, "Hazumu.Gateway.dll");
        }
    }

    /// <exception cref="NotReadyException">It has not been built.</exception>
    public static ChildProcess Start(
        string path, string folder, int port, IEnumerable<KeyValuePair<string, string>> environment)
    {
        if (!File.Exists(path))
        {
            throw new NotReadyException("it has not been built");
        }

        return ChildProcess.Start(
            "gateway",
            folder,
            [new("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"), new("ASPNETCORE_CONTENTROOT", Path.GetDirectoryName(path)!), .. environment],
            "dotnet",
            path);
    }
}
