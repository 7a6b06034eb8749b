using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Tests.Compose;

namespace Hazumu.Tests.Publishing;

/// <summary>What a published application has of engines beside Ollama.</summary>
public sealed class PublishedEngineTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-publish-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("docker-compose.gguf.yaml", "llamaserver", "10m")]
    [InlineData("docker-compose.huggingface.yaml", "vllm", "30m")]
    public void Engine_has_time_to_load_its_model(string file, string service, string expected) =>
        Assert.Equal(expected, Assert.Single(PublishedCompose.ServicesOf(Path.Combine(PublishedCompose.Folder, file)), found => found.Name == service).Text("healthcheck", "start_period"));

    [Theory]
    [InlineData("gguf", "llamaserver:8080", "llama-server")]
    [InlineData("huggingface", "vllm:8000", "vllm")]
    public void Engine_of_an_option_is_scraped_and_probed_as_its_kind(string option, string address, string kind)
    {
        var mounts = Assert.Single(PublishedCompose.ServicesOf(Path.Combine(PublishedCompose.Folder, $"docker-compose.{option}.yaml")), service => service.Name == "prometheus").Mounts.Select(mount => mount.Target).ToList();
        foreach (var file in new[] { $"prometheus-targets-{option}.json", $"prometheus-engine-health-{option}.json" })
        {
            var group = Assert.Single(JsonDocument.Parse(File.ReadAllText(Path.Combine(PublishedCompose.Folder, file))).RootElement.EnumerateArray());

            Assert.Equal((address, kind), (Assert.Single(group.GetProperty("targets").EnumerateArray()).GetString(), group.GetProperty("labels").GetProperty("engine").GetString()));
            Assert.Contains($"/etc/{file}", mounts);
        }
    }

    [Fact]
    public async Task Secrets_of_engines_elsewhere_that_are_missing_are_named()
    {
        await Published.RunStepAsync("publish", _folder.FullName, "--Hazumu:Engines:far:Url=https://far.example", "--Hazumu:Engines:far:KeyFile=key", "--Hazumu:Engines:far:CaFile=ca.pem");

        var result = await ProcessRunner.RunAsync("sh", ["secrets.sh"], workingDirectory: _folder.FullName);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("secrets/engine_far_key is missing: it is to hold the key that the engine wants.", result.Output, StringComparison.Ordinal);
        Assert.Contains("secrets/engine_far_ca is missing: it is to hold the certificates of the authorities that the engine's own may be of, in PEM.", result.Output, StringComparison.Ordinal);

        foreach (var name in new[] { "engine_far_key", "engine_far_ca" })
        {
            await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "secrets", name), "x");
        }

        Assert.Equal(0, (await ProcessRunner.RunAsync("sh", ["secrets.sh"], workingDirectory: _folder.FullName)).ExitCode);
    }
}
