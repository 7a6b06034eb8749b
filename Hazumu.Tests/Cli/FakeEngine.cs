using Hazumu.Cli;
using Hazumu.Cli.Images;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Cli;

/// <summary>A container engine of one shell script, in a checkout that holds nothing else.</summary>
internal sealed class FakeEngine : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-cli-");
    private readonly List<string> _progress = [];

    private FakeEngine()
    {
    }

    /// <summary>The engine's command.</summary>
    public string Program => Path.Combine(_folder.FullName, "docker");

    /// <summary>The checkout.</summary>
    public Checkout Checkout => new(_folder.FullName);

    /// <summary>What the user is told.</summary>
    public IReadOnlyList<string> Progress => _progress;

    /// <summary>Creates an engine.</summary>
    /// <param name="pull">The shell commands of a pull.</param>
    /// <param name="debianImages">The shell commands that list images built from Debian's packages.</param>
    /// <param name="buildScript">The shell commands that build them.</param>
    /// <param name="otherwise">The shell commands of everything else.</param>
    public static async Task<FakeEngine> CreateAsync(string pull, string debianImages = ":", string buildScript = ":", string otherwise = ":")
    {
        Skip.If(Shell.Missing);
        var engine = new FakeEngine();
        await WriteAsync(engine.Program, $"case $1 in info) echo {{}} ;; image) exit 1 ;; pull) {pull} ;; images) {debianImages} ;; *) {otherwise} ;; esac");
        await WriteAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(engine.Checkout.Root, "eng")).FullName, "images-from-debian.sh"), $"cd '{engine.Checkout.Root}'; {buildScript}");
        return engine;
    }

    /// <summary>The images of the engine.</summary>
    public ImageStore Images(TimeProvider? time = null) => new(Program, Report, time ?? TimeProvider.System);

    /// <summary>Gets the images of components.</summary>
    public Task<IReadOnlyDictionary<string, string>> PrepareAsync(params GraphComponent[] components) => PrepareAsync(CancellationToken.None, components);

    /// <summary>Gets the images of components.</summary>
    public Task<IReadOnlyDictionary<string, string>> PrepareAsync(CancellationToken cancellationToken, params GraphComponent[] components) =>
        new ImagePreparation(Checkout, Images(), Report).RunAsync(components, standIn: null, cancellationToken);

    /// <summary>Gets the images of components, one of which may be replaced.</summary>
    public Task<IReadOnlyDictionary<string, string>> PrepareWithStandInAsync(GraphComponent standIn, params GraphComponent[] components) =>
        new ImagePreparation(Checkout, Images(), Report).RunAsync(components, standIn, CancellationToken.None);

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>A component of the graph.</summary>
    public static GraphComponent Component(string section, string image, string? imageSetting = null) =>
        new(section, Enabled: true, EnabledSetting: null, image, imageSetting, IsBuilt: false, new Uri("http://localhost:9090"));

    private void Report(string sentence)
    {
        lock (_progress)
        {
            _progress.Add(sentence);
        }
    }

    private static async Task WriteAsync(string path, string commands)
    {
        await File.WriteAllTextAsync(path, $"#!/bin/sh\n{commands}\n");
        await ProcessRunner.RunOrThrowAsync("chmod", ["+x", path]);
    }
}
