using System.Net;
using System.Security.Cryptography.X509Certificates;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Mocks;
using Hazumu.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>An instance on another host: behind a proxy that has a certificate of an own authority and wants a key.</summary>
public sealed class TlsInstanceTests : IAsyncLifetime
{
    private const string Key = "the-key-of-the-gpu-host";

    private readonly TemporaryFolder _folder = new();
    private readonly X509Certificate2 _authority;
    private readonly X509Certificate2 _certificate;
    private MockEngine _engine = null!;
    private WebApplication _proxy = null!;
    private Uri _address = null!;
    private volatile string _key = Key;
    private int _served;

    public TlsInstanceTests()
    {
        (_authority, _certificate) = OwnCertificates.Make();
        File.WriteAllText(CaFile, _authority.ExportCertificatePem());
        File.WriteAllText(KeyFile, Key + "\n");
    }

    private string CaFile => _folder.File("ca.pem");

    private string KeyFile => _folder.File("key");

    private string[] Access => [$"--Gateway:Engines:gpu-1:KeyFile={KeyFile}", $"--Gateway:Engines:gpu-1:CaFile={CaFile}"];

    public async ValueTask InitializeAsync()
    {
        _engine = await MockEngine.StartAsync(new() { Parallel = 4 });
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHttpForwarder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(_certificate)));
        _proxy = builder.Build();
        var forwarder = _proxy.Services.GetRequiredService<IHttpForwarder>();
        var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        _proxy.Run(async context =>
        {
            if (context.Request.Headers.Authorization != $"Bearer {_key}")
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return;
            }

            Interlocked.Increment(ref _served);
            await forwarder.SendAsync(context, _engine.Address.GetLeftPart(UriPartial.Authority), client);
        });
        await _proxy.StartAsync();
        _address = new Uri($"https://localhost:{new Uri(_proxy.Urls.First()).Port}");
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _engine.DisposeAsync();
        _authority.Dispose();
        _certificate.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Ask.Dialects), MemberType = typeof(Ask))]
    public async Task The_instances_key_is_sent_whatever_the_client_sends_and_never_shown(string path)
    {
        await using var gateway = await StartAsync();

        var answer = await gateway.Http.ChatAsync(path, key: "sk-of-the-client");

        Assert.Equal((200, "gpu-1"), (answer.Status, answer.Instance));
        Assert.Equal($"Bearer {Key}", Assert.Single(_engine.Inferences()).Headers["Authorization"]);
        Assert.DoesNotContain(answer.Headers.Values.Append(answer.Text).Concat(gateway.Logged), text => text.Contains(Key, StringComparison.Ordinal));
        Assert.Equal(200, (await gateway.Http.AnswerAsync(HttpMethod.Get, "/api/tags")).Status);
        Assert.Equal(200, (await gateway.Http.AnswerAsync(HttpMethod.Delete, "/api/delete", """{"model":"mock"}""")).Status);
    }

    [Fact]
    public async Task A_client_that_goes_away_reaches_the_engine_through_TLS_and_its_slot_is_free()
    {
        _engine.Options = _engine.Options with { Tokens = 10_000, TokenTime = TimeSpan.FromMilliseconds(10) };
        await using var gateway = await StartAsync();
        (await gateway.Http.BeginAsync(body: Ask.Body().Replace("100", "10000", StringComparison.Ordinal))).Dispose();

        await _engine.WaitUntilAsync(engine => engine.Statistics.AllDisconnects == 1);
        await Wait.UntilAsync(() => Assert.Equal(0, gateway.Measured.Now("hazumu.gateway.slots.used")));
    }

    [Fact]
    public async Task A_replaced_key_file_takes_effect_and_a_removed_one_stays_in_use()
    {
        await using var gateway = await StartAsync("--Gateway:Fleet:ProbeInterval=200ms");
        _key = "another-key-of-the-gpu-host";
        await File.WriteAllTextAsync(KeyFile, _key);
        await Wait.UntilAsync(() => Assert.Equal(200, gateway.Http.ChatAsync().GetAwaiter().GetResult().Status));

        File.Move(KeyFile, $"{KeyFile}.away");
        var before = Volatile.Read(ref _served);
        await Wait.UntilAsync(() => Assert.True(Volatile.Read(ref _served) > before + 10, "It is not asked any more."));
        Assert.Equal(200, (await gateway.Http.ChatAsync()).Status);
        File.Move($"{KeyFile}.away", KeyFile);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_is_refused()
    {
        var (stranger, certificate) = OwnCertificates.Make();
        await File.WriteAllTextAsync(CaFile, stranger.ExportCertificatePem());
        stranger.Dispose();
        certificate.Dispose();
        await using var gateway = await StartAsync("--Gateway:Queue:OutageTimeout=200ms", "--Gateway:Retries:Limit=0");

        Assert.InRange((await gateway.Http.ChatAsync()).Status, 502, 503);
        Assert.Empty(_engine.Requests);
    }

    [Theory]
    [InlineData("--Gateway:Engines:gpu-2:KeyFile={key}", "'Gateway:Engines:gpu-2' has no 'Url'")]
    [InlineData("--Gateway:Engines:gpu-1:Url=http://gpu-1:11434 --Gateway:Engines:gpu-1:KeyFile={key}", "needs TLS")]
    [InlineData("--Gateway:Engines:gpu-1:KeyFile=/nonexistent/key", "The file of 'Gateway:Engines:gpu-1:KeyFile' cannot be read")]
    [InlineData("--Gateway:Engines:gpu-1:CaFile={key}", "contains no certificate; it must contain those of the authorities, in PEM.")]
    [InlineData("--Gateway:Engines:gpu-1:KeyFile={ca}", "must hold a key of 1 to 4096 visible ASCII characters")]
    public async Task A_wrong_setting_is_reported_in_a_sentence(string arguments, string sentence)
    {
        var (exitCode, _, error) = await TestGatewayProcess.RunAsync(
            [$"--Gateway:Engines:gpu-1:Url={_address}", .. arguments.Replace("{key}", KeyFile, StringComparison.Ordinal).Replace("{ca}", CaFile, StringComparison.Ordinal).Split(' '), "--urls=http://127.0.0.1:0"]);

        Assert.Equal(1, exitCode);
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, error, StringComparison.Ordinal);
    }

    private Task<TestGateway> StartAsync(params string[] arguments) => TestGateway.StartAsync([("gpu-1", _address)], ["--Gateway:Slots=4", .. Access, .. arguments]);
}
