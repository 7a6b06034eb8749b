using System.Text.Json;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>Runs programs that use an official client of another language, each in a process of its own.</summary>
internal static class ClientPrograms
{
    // One version each, so that a test does not change with what the registry serves. Installed below .hazumu; nothing of it is committed.
    private static readonly (string Name, string Version)[] s_packages = [("ollama", "0.6.4"), ("openai", "6.49.0"), ("@anthropic-ai/sdk", "1.14.0")];

    private static readonly Lazy<string?> s_missingNode = new(() => FindMissingNodeAsync().GetAwaiter().GetResult());

    /// <summary>Why the clients for Node.js cannot run here; <see langword="null"/> if they can.</summary>
    public static string? MissingNode => s_missingNode.Value;

    private static string NodeFolder => RepositoryRoot.Combine(".hazumu", "clients");

    /// <summary>Why a client for Python cannot run here; <see langword="null"/> if it can.</summary>
    public static string? FindMissingPython(string module) =>
        CanRun("python3", ["-c", $"import {module}"]) ? null : $"Python's package '{module}' is not on this machine";

    /// <summary>Runs a client for Node.js.</summary>
    /// <returns>What it has printed.</returns>
    public static Task<JsonElement> RunNodeAsync(string client, KeyedGateway gateway) =>
        RunAsync("node", [Script("Node", "client.cjs"), NodeFolder, client], gateway);

    /// <summary>Runs a client for Python.</summary>
    /// <returns>What it has printed.</returns>
    public static Task<JsonElement> RunPythonAsync(string client, KeyedGateway gateway) => RunAsync("python3", [Script("Python", "client.py"), client], gateway);

    private static async Task<JsonElement> RunAsync(string program, IEnumerable<string> arguments, KeyedGateway gateway)
    {
        var environment = new Dictionary<string, string?>
        {
            ["GATEWAY"] = gateway.Gateway.Address.GetLeftPart(UriPartial.Authority),
            ["KEY"] = gateway.Key,
            ["WRONG_KEY"] = gateway.WrongKey,
        };
        return JsonSerializer.Deserialize<JsonElement>(await ProcessRunner.RunOrThrowAsync(program, arguments, environment: environment));
    }

    private static string Script(string folder, string name) => RepositoryRoot.Combine("Hazumu.Gateway.Tests", "Clients", folder, name);

    private static async Task<string?> FindMissingNodeAsync()
    {
        if (!CanRun("node", ["--version"]) || !CanRun("npm", ["--version"]))
        {
            return "Node.js with npm is not on this machine";
        }

        if (!s_packages.All(IsInstalled))
        {
            Directory.CreateDirectory(NodeFolder);
            var install = await ProcessRunner.RunAsync(
                "npm",
                ["install", "--prefix", NodeFolder, "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-timeout=20000", .. s_packages.Select(package => $"{package.Name}@{package.Version}")],
                timeout: TimeSpan.FromMinutes(3));
            if (!s_packages.All(IsInstalled))
            {
                return $"npm cannot install the official clients here: {install.Output.Trim().Split('\n')[0]}";
            }
        }

        return null;
    }

    private static bool IsInstalled((string Name, string Version) package)
    {
        var manifest = Path.Combine([NodeFolder, "node_modules", .. package.Name.Split('/'), "package.json"]);
        return File.Exists(manifest) && JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(manifest)).GetProperty("version").GetString() == package.Version;
    }

    /// <summary>Whether a program is on this machine and exits with 0.</summary>
    public static bool CanRun(string program, IEnumerable<string> arguments)
    {
        try
        {
            return ProcessRunner.RunAsync(program, arguments).GetAwaiter().GetResult().Succeeded;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
