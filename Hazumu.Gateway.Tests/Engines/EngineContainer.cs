using Hazumu.Testing;
using Hazumu.Gateway.Tests.Streams;

namespace Hazumu.Gateway.Tests.Engines;

/// <summary>A real engine in a container, on a free port of loopback, gone with its test.</summary>
internal sealed class EngineContainer : IAsyncDisposable
{
    private readonly string _id;

    private EngineContainer(string id, Uri address)
    {
        _id = id;
        Address = address;
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>Why an image cannot be run, or <see langword="null"/> where it can; nothing is pulled for these tests.</summary>
    public static string? WhyMissing(string image) => ContainerCli.Missing
        ?? (ContainerCli.RunAsync("image", "inspect", "--format", "{{.Id}}", image).GetAwaiter().GetResult().Succeeded ? null : $"the image '{image}' is not on this machine");

    /// <summary>Starts one, and waits until it answers.</summary>
    /// <param name="image">Its image.</param>
    /// <param name="port">The port that it listens on inside.</param>
    /// <param name="ready">A path that answers 200 when it is ready.</param>
    /// <param name="model">Where the model's file goes inside; nowhere where <see langword="null"/>.</param>
    /// <param name="arguments">Arguments of the engine.</param>
    public static async Task<EngineContainer> StartAsync(string image, int port, string ready, string? model, params string[] arguments)
    {
        // Chosen here, not by the container engine: a container that is stopped and started again has the same.
        var published = Backend.FindFreePort();
        var id = (await ContainerCli.RunOrThrowAsync(
            ["create", "--pull", "never", "--publish", $"127.0.0.1:{published}:{port}", image, .. arguments])).Trim();
        try
        {
            if (model is not null)
            {
                var file = Path.GetTempFileName();
                await File.WriteAllBytesAsync(file, TinyModel.File);
                await ContainerCli.RunOrThrowAsync("cp", file, $"{id}:{model}");
                File.Delete(file);
            }

            await ContainerCli.RunOrThrowAsync("start", id);
            var container = new EngineContainer(id, new Uri($"http://127.0.0.1:{published}/"));
            using var http = new HttpClient { BaseAddress = container.Address };
            await Wait.UntilAsync(() => Assert.True(http.GetAsync(new Uri(ready, UriKind.Relative)).GetAwaiter().GetResult().IsSuccessStatusCode), TimeSpan.FromSeconds(60));
            return container;
        }
        catch
        {
            await ContainerCli.RunAsync("rm", "--force", "--volumes", id);
            throw;
        }
    }

    /// <summary>Ends the engine; <see cref="RestartAsync"/> starts it again.</summary>
    public Task StopAsync() => ContainerCli.RunOrThrowAsync("kill", _id);

    /// <summary>Starts the engine again, at the same address.</summary>
    public Task RestartAsync() => ContainerCli.RunOrThrowAsync("start", _id);

    public async ValueTask DisposeAsync() => await ContainerCli.RunAsync("rm", "--force", "--volumes", _id);
}
