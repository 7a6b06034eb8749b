using System.IO.Compression;
using System.Reflection.Metadata;
using System.Xml.Linq;
using Hazumu.Testing;

namespace Hazumu.Tests.Publishing;

/// <summary>The packages that <c>dotnet pack Hazumu.sln</c> creates.</summary>
public sealed class PackageTests : IClassFixture<PackageTests.PackedSolution>
{
    private readonly PackedSolution _packed;

    public PackageTests(PackedSolution packed) => _packed = packed;

    public static TheoryData<string> Packages => ["Hazumu.Cli", "Hazumu.Grafana", "Hazumu.Hosting", "Hazumu.Settings"];

    [Theory]
    [MemberData(nameof(Packages))]
    public void A_package_has_readme_icon_licence_and_description(string id)
    {
        using var package = _packed.Open(id, "nupkg");
        var metadata = ReadMetadata(package, id);

        Assert.Equal("MIT", Value(metadata, "license"));
        Assert.True(Value(metadata, "description")!.Length > 40);
        Assert.True(package.GetEntry(Value(metadata, "readme")!)!.Length > 100);
        Assert.InRange(package.GetEntry(Value(metadata, "icon")!)!.Length, 100, 10 * 1024);
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void Symbols_lie_beside_a_package(string id)
    {
        using var symbols = _packed.Open(id, "snupkg");
        Assert.Contains(symbols.Entries, entry => entry.Name == $"{id}.pdb");
    }

    [Fact]
    public void The_library_brings_its_documentation_and_the_configuration_along()
    {
        using var package = _packed.Open("Hazumu.Hosting", "nupkg");
        var names = package.Entries.Select(entry => entry.FullName).ToList();

        Assert.Contains(names, name => name.EndsWith("/Hazumu.Hosting.xml", StringComparison.Ordinal));
        foreach (var file in new[] { "prometheus/prometheus.yml", "alertmanager/start.sh", "grafana/access/start.sh", "docs/runbooks/EngineDown.md", "docs/runbooks/ja/EngineDown.md" })
        {
            Assert.Contains($"contentFiles/any/any/hazumu/{file}", names);
        }

        Assert.DoesNotContain(names, name => name.Contains("prometheus/tests/", StringComparison.Ordinal));
        // NuGet copies what the manifest names, and no other file.
        Assert.Contains(ReadMetadata(package, "Hazumu.Hosting").Descendants(), element => element.Name.LocalName == "files" && (string?)element.Attribute("copyToOutput") == "true");
    }

    [Fact]
    public void Every_package_that_the_library_needs_from_here_is_packed()
    {
        using var package = _packed.Open("Hazumu.Hosting", "nupkg");
        var own = ReadMetadata(package, "Hazumu.Hosting").Descendants().Where(element => element.Name.LocalName == "dependency").Select(element => (string)element.Attribute("id")!).Where(id => id.StartsWith("Hazumu.", StringComparison.Ordinal)).ToList();

        Assert.Contains("Hazumu.Settings", own);
        foreach (var id in own)
        {
            _packed.Open(id, "nupkg").Dispose();
        }
    }

    private static XElement ReadMetadata(ZipArchive package, string id)
    {
        using var manifest = package.GetEntry($"{id}.nuspec")!.Open();
        return XDocument.Load(manifest).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
    }

    private static string? Value(XElement metadata, string name) => metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;

    /// <summary>The packages of this build.</summary>
    public sealed class PackedSolution : IAsyncLifetime
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-packages-");

        /// <inheritdoc/>
        public async ValueTask InitializeAsync() => await ProcessRunner.RunOrThrowAsync(
            "dotnet",
            ["pack", RepositoryRoot.Combine("Hazumu.sln"), "--no-build", "-nodeReuse:false", "--configuration", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "--output", _folder.FullName],
            TimeSpan.FromMinutes(5));

        /// <summary>Opens the only package of an identifier.</summary>
        /// <param name="id">The identifier.</param>
        /// <param name="extension">The file's extension, without its dot.</param>
        public ZipArchive Open(string id, string extension) =>
            ZipFile.OpenRead(Assert.Single(_folder.EnumerateFiles($"{id}.*.{extension}"), file => char.IsAsciiDigit(file.Name[id.Length + 1])).FullName);

        /// <inheritdoc/>
        public ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
