using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hazumu.Hosting.LlamaServer;
using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>Production's form, run for real.</summary>
public sealed class ComposeProductionTests(ProductionBackend backend) : IClassFixture<ProductionBackend>
{
    private static readonly string[] s_roots = ["cadvisor"];

    [Fact]
    public async Task Every_container_is_healthy_and_what_prepares_volumes_has_ended()
    {
        backend.SkipIfMissing();

        await backend.WaitUntilHealthyAsync();
        foreach (var service in new[] { "ollama-volume", "edge-volume", "gateway-volume" })
        {
            Assert.Equal(0, (await backend.InspectAsync(service)).GetProperty("State").GetProperty("ExitCode").GetInt32());
        }
    }

    [Fact]
    public async Task A_stream_comes_through_the_edge_and_Prometheus_has_measured_it()
    {
        backend.SkipIfMissing();

        await CreateModelAsync();
        using var answer = await backend.SendAsync(HttpMethod.Post, "api/generate", JsonContent.Create(new { model = OllamaClient.TinyModelName, prompt = "Hello" }));
        var lines = (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length > 5, string.Join('\n', lines));

        await Wait.UntilAsync("every target to be up, and the request to be counted", TimeSpan.FromSeconds(90), async () =>
        {
            Assert.All(
                (await backend.QueryAsync("up")).Where(target => backend.Components.Any(component => component.Service == target.GetProperty("metric").GetProperty("instance").GetString()!.Split('@')[0])),
                target => Assert.Equal("1", target.GetProperty("value")[1].GetString()));
            // What is left out is not missed, what is there is.
            Assert.NotEmpty(await backend.QueryAsync("hazumu:expected_job:info{job=\"gateway\"}"));
            Assert.Empty(await backend.QueryAsync("hazumu:expected_job:info unless on (job) group by (job) (up)"));
            Assert.NotEmpty(await backend.QueryAsync("hazumu_gateway_requests_total{key=\"tester\",outcome=\"success\"} > 0"));
            if (backend.Has(Component.CAdvisor))
            {
                Assert.NotEmpty(await backend.QueryAsync("container_memory_working_set_bytes{service=\"ollama\"} > 0"));
            }
        });
    }

    [Fact]
    public async Task The_edge_has_TLS_of_its_own_authority_and_sends_HTTP_there()
    {
        backend.SkipIfMissing();

        using var answer = await backend.SendAsync(HttpMethod.Get, "api/version");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("DENY", Assert.Single(answer.Headers.GetValues("X-Frame-Options")));
        Assert.False(answer.Headers.Contains("Server"));
        Assert.False(answer.Headers.Contains("Via"));

        // Whoever does not trust that authority is not connected.
        using var stranger = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => stranger.GetAsync(new Uri(backend.Address, "api/version")));

        using var plain = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        using var redirect = await plain.GetAsync(new Uri($"http://localhost:{backend.HttpPort}/api/tags?x=1"));
        Assert.Equal(HttpStatusCode.PermanentRedirect, redirect.StatusCode);
        Assert.Equal($"https://localhost:{backend.HttpsPort}/api/tags?x=1", redirect.Headers.Location!.ToString());
    }

    [Fact]
    public async Task Without_a_key_nothing_is_answered_and_what_is_inside_stays_inside()
    {
        backend.SkipIfMissing();

        using var refused = await backend.SendAsync(HttpMethod.Get, "api/tags", key: "hzm_00000000_0000000000000000000000000000000000000000000");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);

        foreach (var path in new[] { "metrics", "%6detrics", "/metrics", "./metrics", "METRICS", "alive", "api/%2e%2e/metrics" })
        {
            using var answer = await backend.SendAsync(HttpMethod.Get, path);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        // Alertmanager and Loki it reaches: it is their allow-list for Grafana.
        foreach (var inside in new[] { "http://prometheus:9090", "http://ollama:11434", "http://cadvisor:8080" })
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => backend.ExecuteOrThrowAsync("edge", "wget", "-q", "-T", "3", "-O", "/dev/null", inside));
        }

        foreach (var component in new[] { Component.CAdvisor, Component.NodeExporter }.Where(backend.Has))
        {
            var container = await backend.InspectAsync(component.Service);
            var address = container.GetProperty("NetworkSettings").GetProperty("Networks").EnumerateObject().Single().Value.GetProperty("IPAddress").GetString();
            var url = $"http://{address}:{(component == Component.CAdvisor ? 8080 : 9100)}/metrics";
            await backend.ExecuteOrThrowAsync("prometheus", "wget", "-q", "-T", "3", "-O", "/dev/null", url);
            await Assert.ThrowsAsync<InvalidOperationException>(() => backend.ExecuteOrThrowAsync("gateway", "wget", "-q", "-T", "3", "-O", "/dev/null", url));
        }
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused()
    {
        backend.SkipIfMissing();

        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(backend.Address, "api/generate"))
        {
            Content = new StringContent("{\"model\":\"" + OllamaClient.TinyModelName + "\",\"prompt\":\"" + new string('a', 100_000_001) + "\"}"),
        };
        request.Headers.Add("x-api-key", backend.Key);
        // The client learns it before it has sent the body.
        request.Headers.ExpectContinue = true;
        using var answer = await backend.Edge.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task Only_two_ports_are_open_to_others()
    {
        backend.SkipIfMissing();

        // What others on this machine open meanwhile is gone again at another look.
        await Wait.UntilAsync("no other port to be open", TimeSpan.FromMinutes(2), async () =>
        {
            var open = await ProductionBackend.OpenPortsAsync(ProductionBackend.OutsideAddress);
            Assert.Equal(new[] { backend.HttpPort, backend.HttpsPort }.Order(), open.Except(backend.PortsBefore).Order());
        });

        foreach (var service in backend.RunningServices.Where(service => service != "edge"))
        {
            var ports = (await backend.InspectAsync(service)).GetProperty("NetworkSettings").GetProperty("Ports");
            Assert.All(ports.EnumerateObject(), port => Assert.Equal(JsonValueKind.Null, port.Value.ValueKind));
        }
    }

    [Fact]
    public async Task Secrets_are_in_no_variable_no_command_line_and_no_log()
    {
        backend.SkipIfMissing();

        const string InQuery = "in-the-query-3f9a";
        using var bearer = new HttpRequestMessage(HttpMethod.Get, new Uri(backend.Address, $"api/tags?code={InQuery}"));
        bearer.Headers.Authorization = new("Bearer", backend.Key);
        using var answer = await backend.Edge.SendAsync(bearer);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

        var secrets = await backend.SecretsAsync();
        Assert.All(secrets, secret => Assert.True(secret.Length > 12));
        foreach (var service in backend.RunningServices)
        {
            var container = await backend.InspectAsync(service);
            var id = container.GetProperty("Id").GetString()!;
            var seen = container.ToString()
                + await ContainerCli.RunOrThrowAsync("top", id, "-o", "pid,args")
                + (await ContainerCli.RunAsync("logs", id)).Output
                + string.Concat(await VariablesAsync(container));
            // The gateway passes a query on, as all of a request, and Ollama logs it; no key belongs there, and none is taken from there.
            Assert.All(service == "ollama" ? secrets : secrets.Append(InQuery), secret => Assert.False(seen.Contains(secret, StringComparison.Ordinal), $"{service} shows a secret."));
        }

        // The edge's log has the request all the same.
        Assert.Contains("\"uri\":\"/api/tags\"", (await ContainerCli.RunAsync("logs", (await backend.InspectAsync("edge")).GetProperty("Id").GetString()!)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Containers_are_confined_as_the_files_say()
    {
        backend.SkipIfMissing();

        foreach (var service in backend.RunningServices)
        {
            var container = await backend.InspectAsync(service);
            var host = container.GetProperty("HostConfig");
            Assert.False(host.GetProperty("Privileged").GetBoolean(), service);
            Assert.True(host.GetProperty("ReadonlyRootfs").GetBoolean(), service);
            Assert.True(host.GetProperty("PidsLimit").GetInt64() > 0, service);

            // As the kernel sees the program, whatever was asked for.
            var status = (await File.ReadAllLinesAsync($"/proc/{container.GetProperty("State").GetProperty("Pid").GetInt32()}/status"))
                .Select(line => line.Split(':', 2))
                .ToDictionary(line => line[0], line => line[1].Trim());
            Assert.Equal("1", status["NoNewPrivs"]);
            Assert.Equal(0UL, ulong.Parse(status["CapEff"], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            Assert.Equal(s_roots.Contains(service), status["Uid"].Split('\t')[0] == "0");
        }
    }

    [Fact]
    public async Task An_allow_list_keeps_others_out_of_a_site()
    {
        backend.SkipIfMissing();

        try
        {
            backend.EdgeSettings["Hazumu__Edge__AllowGateway"] = "192.0.2.1";
            await backend.RestartEdgeAsync();
            Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("api/version"));
            Assert.NotEqual(HttpStatusCode.Forbidden, await StatusAsync("grafana/login"));

            backend.EdgeSettings.Remove("Hazumu__Edge__AllowGateway");
            backend.EdgeSettings["Hazumu__Edge__AllowGrafana"] = "192.0.2.0/24,198.51.100.7";
            await backend.RestartEdgeAsync();
            Assert.Equal(HttpStatusCode.OK, await StatusAsync("api/version"));
            Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("grafana/login"));
            Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync("grafana//login"));
        }
        finally
        {
            backend.EdgeSettings.Clear();
            await backend.RestartEdgeAsync();
        }
    }

    [Fact]
    public async Task Data_survives_the_kill_of_every_container()
    {
        backend.SkipIfMissing();

        await CreateModelAsync();
        await Wait.UntilAsync("samples", TimeSpan.FromSeconds(60), async () => Assert.NotEmpty(await backend.QueryAsync("up{job=\"gateway\"} == 1")));
        var before = DateTimeOffset.UtcNow;

        var killed = new Dictionary<string, int>();
        foreach (var service in backend.RunningServices)
        {
            var process = (await backend.InspectAsync(service)).GetProperty("State").GetProperty("Pid").GetInt32();
            killed.Add(service, process);
            // The engine takes its own 'kill' for a wish that the container stay down; and a container's first process ignores one from inside.
            await ContainerCli.RunOrThrowAsync("run", "--rm", "--pid", "host", "--network", "none", "--user", "0", "--entrypoint", "sh", Component.Prometheus.Image, "-c", $"kill -9 {process}");
        }

        await Wait.UntilAsync("every container to run anew", TimeSpan.FromMinutes(2), async () =>
        {
            foreach (var (service, process) in killed)
            {
                Assert.NotEqual(process, (await backend.InspectAsync(service)).GetProperty("State").GetProperty("Pid").GetInt32());
            }
        });
        await backend.WaitUntilHealthyAsync();

        await Wait.UntilAsync("the model, asked for with the same key", TimeSpan.FromMinutes(1), () => AssertHasModelAsync());
        Assert.NotEmpty(await backend.QueryAsync("up{job=\"gateway\"}", before));
    }

    [Fact]
    public async Task A_backup_brings_back_what_was_lost()
    {
        backend.SkipIfMissing();

        var folder = Directory.CreateTempSubdirectory("hazumu-backup-");
        try
        {
            await CreateModelAsync();
            var key = await backend.CreateKeyAsync("kept");
            var backup = await backend.RunScriptAsync("backup.sh", folder.FullName);
            Assert.True(backup.Succeeded, backup.Output);

            await backend.WaitUntilHealthyAsync();
            await backend.ExecuteOrThrowAsync("gateway", "/app/Hazumu.Gateway", "keys", "revoke", "kept");
            await Wait.UntilAsync("the gateway to have an instance again", TimeSpan.FromSeconds(60), () => AssertHasModelAsync());
            using var delete = await backend.SendAsync(HttpMethod.Delete, "api/delete", JsonContent.Create(new { model = OllamaClient.TinyModelName }));
            Assert.Equal(ProductionFiles.HasOllama ? HttpStatusCode.OK : HttpStatusCode.NotFound, delete.StatusCode);

            var restore = await backend.RunScriptAsync("restore.sh", folder.FullName, "--yes");
            Assert.True(restore.Succeeded, restore.Output);
            await Wait.UntilAsync("the model and the key", TimeSpan.FromSeconds(60), () => AssertHasModelAsync(key));

            var damaged = Directory.EnumerateFiles(folder.FullName, "*.tar.gz").First();
            await File.AppendAllTextAsync(damaged, "x");
            var refused = await backend.RunScriptAsync("restore.sh", folder.FullName, "--yes");
            Assert.False(refused.Succeeded);
            Assert.Contains("is damaged; nothing was changed", refused.Output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_gateway_of_another_host_has_this_one_as_an_instance()
    {
        backend.SkipIfMissing();

        await CreateModelAsync();
        var secrets = Directory.CreateTempSubdirectory("hazumu-front-");
        var front = $"{backend.Name}-front";
        try
        {
            await File.WriteAllTextAsync(Path.Combine(secrets.FullName, "key"), await backend.CreateKeyAsync("front", "infer,read"));
            await File.WriteAllTextAsync(Path.Combine(secrets.FullName, "ca.pem"), await backend.ExecuteOrThrowAsync("edge", "cat", "/data/caddy/pki/authorities/local/root.crt"));
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(secrets.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
            }

            var address = new Uri($"http://127.0.0.1:{ProductionBackend.FindFreePort()}/");
            await ContainerCli.RunOrThrowAsync(
                "run", "--detach", "--name", front, "--network", "host", "--volume", $"{secrets.FullName}:/run/secrets:ro",
                "--env", $"ASPNETCORE_URLS={address}", "--env", $"Gateway__Engines__far__Url={backend.Address}",
                "--env", "Gateway__Engines__far__KeyFile=/run/secrets/key", "--env", "Gateway__Engines__far__CaFile=/run/secrets/ca.pem",
                Component.Gateway.Image);

            var client = new OllamaClient(backend.Http, address);
            await Wait.UntilAsync("the model of the other host", TimeSpan.FromSeconds(30), async () => Assert.Contains(OllamaClient.TinyModelName, await client.ListModelsAsync()));
            Assert.True((await client.GenerateAsync("Hello")).Count > 5);
            // The other host knows who asked.
            await Wait.UntilAsync("the request to be counted", TimeSpan.FromSeconds(60), async () =>
                Assert.NotEmpty(await backend.QueryAsync("hazumu_gateway_requests_total{key=\"front\",outcome=\"success\"} > 0")));

            await backend.ExecuteOrThrowAsync("gateway", "/app/Hazumu.Gateway", "keys", "revoke", "front");
            await Wait.UntilAsync("the instance to be down", TimeSpan.FromSeconds(30), async () =>
                Assert.Matches("hazumu_gateway_instance_up\\{[^}]*hazumu_instance=\"far\"[^}]*\\} 0", await backend.Http.GetStringAsync(new Uri(address, "metrics"))));
            Assert.Contains("401", (await ContainerCli.RunAsync("logs", front)).Output, StringComparison.Ordinal);
        }
        finally
        {
            await ContainerCli.RunAsync("rm", "--force", "--volumes", front);
            secrets.Delete(recursive: true);
        }
    }

    private static async Task<IEnumerable<string>> VariablesAsync(JsonElement container)
    {
        try
        {
            return [await File.ReadAllTextAsync($"/proc/{container.GetProperty("State").GetProperty("Pid").GetInt32()}/environ")];
        }
        catch (UnauthorizedAccessException)
        {
            // Another user's process; its configured variables are in what the engine tells.
            return [];
        }
    }

    private async Task CreateModelAsync()
    {
        using var blob = new ByteArrayContent(TinyModel.File);
        using var upload = await backend.SendAsync(HttpMethod.Post, $"api/blobs/{TinyModel.Digest}", blob);
        upload.EnsureSuccessStatusCode();
        using var create = await backend.SendAsync(HttpMethod.Post, "api/create", JsonContent.Create(new
        {
            model = OllamaClient.TinyModelName,
            files = new Dictionary<string, string> { ["tiny.gguf"] = TinyModel.Digest },
            parameters = new { num_ctx = 512, num_predict = 24 },
            stream = false,
        }));
        create.EnsureSuccessStatusCode();
    }

    private async Task<HttpStatusCode> StatusAsync(string path)
    {
        using var answer = await backend.SendAsync(HttpMethod.Get, path);
        return answer.StatusCode;
    }

    // The mock engine in place of an Ollama that cannot be had forgets its models; what it tells comes to the client all the same.
    private async Task AssertHasModelAsync(string? key = null)
    {
        using var answer = await backend.SendAsync(HttpMethod.Get, "api/tags", key: key);
        answer.EnsureSuccessStatusCode();
        Assert.Contains(ProductionFiles.HasOllama ? OllamaClient.TinyModelName : "\"models\"", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
