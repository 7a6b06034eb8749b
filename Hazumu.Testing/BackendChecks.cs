using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hazumu.Cli.Doctor;
using Xunit;

namespace Hazumu.Testing;

/// <summary>
/// The checks of a running graph, however it was started: data, not just answers. Each way of running it derives its
/// tests from this class.
/// </summary>
/// <param name="backend">The running graph.</param>
public abstract partial class BackendChecks(Backend backend)
{
    // Two scrapes, and some time for a slow machine.
    private static readonly TimeSpan s_dataLimit = TimeSpan.FromSeconds(90);

    // A rate is there with the second scrape that has its counter; what is left of an error budget is recorded every other minute.
    private static readonly TimeSpan s_ratesLimit = TimeSpan.FromMinutes(6);

    // The gateway reads the loaded models of an instance every 5 s.
    private static readonly TimeSpan s_fleetInterval = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan s_scrapeInterval = TimeSpan.FromSeconds(15);

    // The port in the container, and the path of the health probe.
    private static readonly Dictionary<Component, (int Port, string Path)> s_probes = new()
    {
        [Component.Ollama] = (11434, ""),
        [Component.LlamaServer] = (8080, "health"),
        [Component.Gateway] = (8080, "health"),
        [Component.Prometheus] = (9090, "-/ready"),
        [Component.Grafana] = (3000, "api/health"),
        [Component.CAdvisor] = (8080, "healthz"),
        [Component.Blackbox] = (9115, "-/healthy"),
        [Component.Alertmanager] = (9093, "-/ready"),
        [Component.NodeExporter] = (9100, ""),
        [Component.Loki] = (3100, "ready"),
        [Component.Alloy] = (12345, "-/ready"),
    };

    // The components that must run for a job's targets to be up.
    private static readonly Dictionary<string, Component[]> s_jobs = new()
    {
        ["prometheus"] = [],
        ["gateway"] = [Component.Gateway],
        ["cadvisor"] = [Component.CAdvisor],
        ["engines"] = [Component.CAdvisor],
        ["blackbox"] = [Component.Blackbox],
        ["engine-health"] = [Component.Blackbox, Component.Engine],
        ["llamaserver"] = [Component.LlamaServer],
        ["alertmanager"] = [Component.Alertmanager],
        ["nodeexporter"] = [Component.NodeExporter],
        ["loki"] = [Component.Loki],
        ["alloy"] = [Component.Alloy],
    };

    // The components that must run for the metrics of a service. Services that are not listed have no metrics in these
    // tests.
    private static readonly Dictionary<string, Component[]> s_sources = new()
    {
        ["gateway"] = [Component.Gateway, Component.Ollama],
        ["cadvisor"] = [Component.CAdvisor],
        ["blackbox"] = [Component.Blackbox, Component.Engine],
        ["alertmanager"] = [Component.Alertmanager],
    };

    private static readonly object[] s_messages = [new { role = "user", content = "Hello" }];

    private OllamaClient Ollama => new(backend.Http, backend.Url(Component.Ollama));

    // What speaks Ollama's API: Ollama itself, or the gateway in front of llama-server.
    private OllamaClient Engine => backend.Has(Component.Ollama) ? Ollama : Gateway;

    private OllamaClient Gateway => new(backend.Http, backend.Url(Component.Gateway));

    /// <summary>
    /// The health probes of the issue's table answer 200, and Aspire or Compose reports the components as healthy.
    /// </summary>
    [Fact]
    public async Task Every_component_is_healthy()
    {
        backend.SkipIfMissing();

        Assert.NotEmpty(backend.Components);
        foreach (var component in backend.Components)
        {
            await UntilAsync($"'{component}' to be healthy", component, async () =>
            {
                using var response = await backend.Http.GetAsync(new Uri(backend.Url(component), s_probes[component].Path));
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.True(await backend.IsHealthyAsync(component));
            });
        }
    }

    /// <summary>Every scrape target is up, and every job that the components of the graph make possible has one.</summary>
    [Fact]
    public Task Every_scrape_target_is_up()
    {
        backend.SkipIfMissing(Component.Prometheus);

        var expected = s_jobs.Keys.Where(IsInGraph).Order().ToList();

        return UntilAsync("every scrape target to be up", Component.Prometheus, async () =>
        {
            var targets = (await backend.Prometheus.GetTargetsAsync()).Where(target => IsInGraph(target.Job)).ToList();
            Assert.Equal(expected, targets.Select(target => target.Job).Distinct().Order());
            Assert.All(targets, target => Assert.True(target.Health == "up", $"{target.Job}/{target.Instance} is {target.Health}: {target.LastError}"));
        });
    }

    /// <summary>Prometheus knows which jobs must have a target, none lacks one, and every folder of targets can be watched.</summary>
    [Fact]
    public async Task No_expected_job_lacks_a_target()
    {
        backend.SkipIfMissing(Component.Prometheus);

        // Targets by DNS do not exist if the image is not available.
        var absent = Component.All.Except(backend.Components).Select(component => component.Service).ToHashSet();
        await UntilAsync("every expected job to have a target", Component.Prometheus, async () =>
        {
            Assert.NotEmpty(await backend.Prometheus.QueryAsync("hazumu:expected_job:info"));
            var missing = await backend.Prometheus.QueryAsync("hazumu:expected_job:info unless on (job) group by (job) (up)");
            Assert.DoesNotContain(missing, sample => !absent.Contains(sample["job"]));
        });
        Assert.DoesNotContain("Error adding file watch", await backend.LogAsync(Component.Prometheus), StringComparison.Ordinal);
    }

    /// <summary>The probe of the engine succeeds, as its kind wants it.</summary>
    [Fact]
    public Task The_engine_is_probed_successfully()
    {
        backend.SkipIfMissing(Component.Prometheus, Component.Blackbox, Component.Engine);
        return UntilAsync("the probe to succeed", Component.Blackbox, async () =>
        {
            var probe = Assert.Single(await backend.Prometheus.QueryAsync($"probe_success{{job=\"engine-health\",instance=\"{Component.Engine}\"}}"));
            Assert.Equal((Kind, 1), (probe["engine"], probe.Value));
        });
    }

    /// <summary>The job <c>engines</c> has CPU, memory and network series for the engine's container and for no other.</summary>
    /// <param name="metric">A metric of cAdvisor.</param>
    [Theory]
    [InlineData("container_cpu_usage_seconds_total")]
    [InlineData("container_memory_working_set_bytes")]
    [InlineData("container_network_receive_bytes_total")]
    public Task The_job_engines_measures_the_engines_container_alone(string metric)
    {
        backend.SkipIfMissing(Component.Prometheus, Component.CAdvisor, Component.Engine);
        return UntilAsync($"{metric} of the engine", Component.CAdvisor, async () =>
        {
            var ours = await backend.Prometheus.QueryAsync($"{metric}{{job=\"engines\"}}");
            Assert.NotEmpty(ours);
            Assert.All(ours, series => Assert.Equal((Kind, Component.Engine.Service, Component.Engine.Service), (series["engine"], series["service"], series["instance"])));
            Assert.Single(ours.Select(series => series["name"]).Distinct());

            var others = await backend.Prometheus.QueryAsync($"count by (service) ({metric}{{job=\"cadvisor\"}})");
            Assert.Equal(
                backend.Components.Where(component => component != Component.Engine && backend.IsContainer(component)).Select(component => component.Service).Order(),
                others.Select(series => series["service"]).Order());
        });
    }

    /// <summary>The alert that always fires is at Alertmanager, whose links lead where people see it.</summary>
    [Fact]
    public Task Alerts_reach_Alertmanager()
    {
        backend.SkipIfMissing(Component.Prometheus, Component.Alertmanager);
        return UntilAsync("the alert that always fires", Component.Alertmanager, async () =>
        {
            var alert = Assert.Single((await backend.Http.GetFromJsonAsync<JsonElement>(new Uri(backend.Url(Component.Alertmanager), "api/v2/alerts?filter=alertname%3DWatchdog"))).EnumerateArray());
            Assert.Equal("active", alert.GetProperty("status").GetProperty("state").GetString());
            Assert.StartsWith($"http://localhost:{backend.Port(Component.Prometheus)}/", alert.GetProperty("generatorURL").GetString(), StringComparison.Ordinal);
        });
    }

    /// <summary>
    /// The monitoring stays small: less than 600 MB, and 5,000 series. The doctor checks its CPU without load.
    /// </summary>
    [Fact]
    public Task The_watching_is_small()
    {
        backend.SkipIfMissing(Component.Prometheus, Component.CAdvisor);
        return UntilAsync("the watchers to be measured", Component.Prometheus, async () =>
        {
            var memory = Assert.Single(await backend.Prometheus.QueryAsync("sum(container_memory_working_set_bytes{engine=\"\",service!=\"gateway\"})"));
            var series = Assert.Single(await backend.Prometheus.QueryAsync("prometheus_tsdb_head_series"));
            Assert.InRange(memory.Value, 1, 600e6);
            Assert.InRange(series.Value, 1, 5000);
        });
    }

    /// <summary>The doctor finds no problem, and its test alert has ended afterwards.</summary>
    [Fact]
    public async Task The_doctor_finds_nothing_wrong()
    {
        backend.SkipIfMissing(Component.Prometheus);

        var graph = new DoctorOptions
        {
            Prometheus = backend.Url(Component.Prometheus),
            Alertmanager = Address(Component.Alertmanager),
            Grafana = Address(Component.Grafana),
            Gateway = Address(Component.Gateway),
            LeftOut = [.. Component.All.Where(component => !backend.Has(component)).Select(component => component.Service)],
        };
        await UntilAsync("the doctor to find nothing wrong", Component.Prometheus, async () =>
        {
            var results = await CheckRunner.RunAsync(graph, CancellationToken.None);
            Assert.True(results.All(result => !result.IsProblem), Report.Write(results));
            Assert.Equal(graph.Alertmanager is null, results.Single(result => result.Name == "alert path").Outcome == CheckOutcome.NotApplicable);
        });

        if (graph.Alertmanager is not null)
        {
            Assert.Empty((await backend.Http.GetFromJsonAsync<JsonElement>(new Uri(graph.Alertmanager, "api/v2/alerts?filter=alertname%3DHazumuTest"))).EnumerateArray());
        }

        Uri? Address(Component component) => backend.Has(component) ? backend.Url(component) : null;
    }

    /// <summary>The host's disks and memory are measured, and are this host's.</summary>
    [Fact]
    public Task The_host_is_measured()
    {
        backend.SkipIfMissing(Component.Prometheus, Component.NodeExporter);
        return UntilAsync("the host's disks", Component.NodeExporter, async () =>
        {
            Assert.NotEmpty(await backend.Prometheus.QueryAsync("instance_device:node_filesystem_avail:ratio{instance=\"nodeexporter\"}"));
            var memory = Assert.Single(await backend.Prometheus.QueryAsync("node_memory_MemTotal_bytes{job=\"nodeexporter\"}"));
            Assert.InRange(memory.Value, 1 << 28, double.MaxValue);
        });
    }

    /// <summary>The output of containers and of the gateway is in Loki, with our labels.</summary>
    [Fact]
    public async Task Logs_reach_Loki()
    {
        backend.SkipIfMissing(Component.Loki, Component.Alloy, Component.Gateway, Component.Engine);

        await CreateTinyModelAsync();
        await UntilAsync("the gateway to answer", Component.Gateway, () => Gateway.GenerateAsync("Hello"));
        await UntilAsync("the logs", Component.Alloy, async () =>
        {
            Assert.NotEmpty(await QueryLogsAsync($$"""{service="gateway",instance="gateway",level="info"} |= `"type":"access"` | json | model="{{OllamaClient.TinyModelName}}" """));
            Assert.NotEmpty(await QueryLogsAsync($$"""{service="{{Component.Engine}}",instance="{{Component.Engine}}",level="info"}"""));
        });
    }

    /// <summary>Loki understands every query of the dashboards.</summary>
    [Fact]
    public async Task Every_query_for_logs_is_valid_LogQL()
    {
        backend.SkipIfMissing(Component.Loki);

        var queries = DashboardSet.LogQueries().ToList();
        Assert.NotEmpty(queries);
        foreach (var query in queries)
        {
            await QueryLogsAsync(query.ToQuery());
        }
    }

    /// <summary>Samples are kept for 15 days.</summary>
    [Fact]
    public async Task Samples_are_kept_for_15_days()
    {
        backend.SkipIfMissing(Component.Prometheus);
        Assert.Equal("15d", (await backend.Prometheus.GetRuntimeInfoAsync()).GetProperty("storageRetention").GetString());
    }

    /// <summary>Prometheus reads its configuration again without a restart.</summary>
    [Fact]
    public async Task Prometheus_reloads_its_configuration()
    {
        backend.SkipIfMissing(Component.Prometheus);

        var before = await LastReloadAsync();

        // By signal: the published application has no route for it, which its other containers could reach.
        await backend.SignalAsync(Component.Prometheus, "HUP");

        await Wait.UntilAsync("Prometheus to reload", s_dataLimit, async () => Assert.True(await LastReloadAsync() > before, "It keeps the configuration that it had."));
    }

    // Seconds since 1970; it does not change where the reload fails.
    private async Task<double> LastReloadAsync()
    {
        const string Metric = "prometheus_config_last_reload_success_timestamp_seconds ";
        var metrics = await backend.Http.GetStringAsync(new Uri(backend.Url(Component.Prometheus), "metrics"));
        return double.Parse(metrics.Split('\n').Single(line => line.StartsWith(Metric, StringComparison.Ordinal))[Metric.Length..], CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// Every expression of every dashboard returns data while requests come and models are loaded, but for those that are empty while all is
    /// well and those about a component that this machine cannot have. Host, GPUs and what watches the watchers: RecordedExporterTests.
    /// </summary>
    [Fact]
    public async Task Every_dashboard_expression_returns_data()
    {
        backend.SkipIfMissing(Component.Prometheus);

        var expressions = DashboardSet.Expressions()
            .Where(expression => !expression.IsAnnotation && !DashboardSet.MayBeEmpty(expression))
            .Where(HasData)
            .ToList();
        Assert.NotEmpty(expressions);
        if (backend.Has(Component.Gateway))
        {
            await CreateTinyModelAsync();
        }

        await Wait.UntilAsync("every dashboard expression to return data", s_ratesLimit, async () =>
        {
            if (backend.Has(Component.Gateway))
            {
                await SendEveryKindOfRequestAsync();

                // The fleet knows the loaded models first, then the next scrape does; the scrape before saw none.
                await Task.Delay(s_fleetInterval + s_scrapeInterval);
            }

            var empty = new List<string>();
            foreach (var expression in expressions)
            {
                if ((await backend.Prometheus.QueryAsync(expression.ToQuery())).Count == 0)
                {
                    empty.Add($"{expression.Dashboard}, {expression.Panel} ({expression.RefId}): {expression.ToQuery()}");
                }
            }

            Assert.Empty(empty);
        }, () => backend.LogAsync(Component.Prometheus));
    }

    /// <summary>Grafana's provisioned data source answers a query, and every dashboard is found.</summary>
    [Fact]
    public Task Grafana_has_its_data_source_and_dashboards()
    {
        backend.SkipIfMissing(Component.Grafana, Component.Prometheus);
        return UntilAsync("Grafana to be provisioned", Component.Grafana, async () =>
        {
            var up = await GetGrafanaAsync("api/datasources/proxy/uid/hazumu-prometheus/api/v1/query?query=up");
            Assert.NotEmpty(up.GetProperty("data").GetProperty("result").EnumerateArray());

            var found = await GetGrafanaAsync("api/search?type=dash-db&tag=hazumu");
            Assert.Equal(DashboardSet.ByUid.Keys.Where(uid => backend.Has(Component.Loki) || uid != "hazumu-logs").Order(), found.EnumerateArray().Select(dashboard => dashboard.GetProperty("uid").GetString()!).Order());
        });
    }

    /// <summary>An outsider that joins the network finds every container by its resource's name.</summary>
    [Fact]
    public async Task Names_resolve_on_the_network()
    {
        backend.SkipIfMissing(Component.Prometheus);

        foreach (var component in backend.Components.Where(backend.IsContainer))
        {
            var address = $"http://{component.Service}:{s_probes[component].Port}/{s_probes[component].Path}";
            await UntilAsync($"{address} to answer on the network", component, async () =>
            {
                var outsider = await ContainerCli.RunAsync("run", "--rm", "--network", backend.NetworkOf(component), "--entrypoint", "wget", Component.Prometheus.Image, "-q", "-O", "/dev/null", "-T", "5", address);
                Assert.True(outsider.Succeeded, outsider.Output);
            });
        }
    }

    /// <summary>A generate request streams tokens.</summary>
    [Fact]
    public async Task A_generate_request_streams_tokens()
    {
        backend.SkipIfMissing(Component.Engine);

        await CreateTinyModelAsync();
        var objects = await UntilAsync("the engine to answer", Component.Engine, () => Engine.GenerateAsync("Hello"));

        Assert.True(objects.Count > 2, $"There are {objects.Count} objects in the stream: {string.Join('\n', objects)}");
        Assert.All(objects.SkipLast(1), part => Assert.False(part.GetProperty("done").GetBoolean()));
        Assert.Contains(objects, part => part.GetProperty("response").GetString()!.Length > 0);
        Assert.True(objects[^1].GetProperty("done").GetBoolean());
        Assert.True(objects[^1].GetProperty("eval_count").GetInt32() > 0);
    }

    /// <summary>By way of the gateway, a stream has the very bytes that the engine gives, but for its times.</summary>
    /// <param name="path">The operation; of those in Ollama's API only Ollama's answers are passed on as they are.</param>
    [Theory]
    [InlineData("api/generate")]
    [InlineData("api/chat")]
    [InlineData("v1/chat/completions")]
    public async Task The_gateway_streams_what_the_engine_does(string path)
    {
        backend.SkipIfMissing(Component.Gateway, path.StartsWith("api/", StringComparison.Ordinal) ? Component.Ollama : Component.Engine);

        await CreateTinyModelAsync();
        var engine = new OllamaClient(backend.Http, backend.Url(Component.Engine));
        object body = path.StartsWith("v1/", StringComparison.Ordinal)
            ? new { model = OllamaClient.TinyModelName, messages = s_messages, stream = true, seed = 7, temperature = 0, max_tokens = 24 }
            : new { model = OllamaClient.TinyModelName, prompt = "Hello", messages = s_messages, options = new { seed = 7, temperature = 0 } };

        // The second and later answers to the same prompt may differ from the first, which found no cache.
        await engine.PostAsync(path, body);
        var direct = await engine.PostAsync(path, body);
        var byGateway = await UntilAsync("the gateway to answer", Component.Gateway, () => Gateway.PostAsync(path, body));

        Assert.True(direct.Split('\n').Length > 5, direct);
        Assert.Equal(WithoutTimes(direct), WithoutTimes(byGateway));
    }

    /// <summary>The gateway answers like its instance if no model is requested.</summary>
    /// <param name="path">The operation's path.</param>
    [Theory]
    [InlineData("")]
    [InlineData("api/version")]
    public Task The_gateway_answers_as_Ollama_does(string path)
    {
        backend.SkipIfMissing(Component.Gateway, Component.Ollama);
        return UntilAsync("the gateway to answer", Component.Gateway, async () => Assert.Equal(
            await backend.Http.GetStringAsync(new Uri(backend.Url(Component.Ollama), path)),
            await backend.Http.GetStringAsync(new Uri(backend.Url(Component.Gateway), path))));
    }

    /// <summary>The gateway's list of models has those of its instances.</summary>
    [Fact]
    public async Task The_gateway_lists_the_models_of_its_instances()
    {
        backend.SkipIfMissing(Component.Gateway, Component.Engine);

        await CreateTinyModelAsync();
        await UntilAsync("the gateway to list the model", Component.Gateway, async () => Assert.Contains(OllamaClient.TinyModelName, await Gateway.ListModelsAsync()));
    }

    /// <summary>The gateway's metrics of a request are in Prometheus.</summary>
    /// <param name="metric">A metric of the gateway.</param>
    [Theory]
    [InlineData("gen_ai_server_request_duration_seconds_count")]
    [InlineData("gen_ai_server_time_to_first_token_seconds_count")]
    public async Task A_request_through_the_gateway_is_measured(string metric)
    {
        backend.SkipIfMissing(Component.Gateway, Component.Engine, Component.Prometheus);

        await CreateTinyModelAsync();
        await UntilAsync("the gateway to answer", Component.Gateway, () => Gateway.GenerateAsync("Hello"));
        await UntilAsync($"{metric} of the request", Component.Gateway, async () =>
        {
            var series = await backend.Prometheus.QueryAsync($"{metric}{{job=\"gateway\",instance=~\"gateway(@.+)?\",gen_ai_request_model=\"{OllamaClient.TinyModelName}\"}}");
            Assert.Contains(series, sample => sample.Value >= 1);
        });
    }

    /// <summary>When the engine stops, the probe turns 0 and the component unhealthy; when it starts, all recovers and nothing is lost.</summary>
    [Fact]
    public async Task The_engine_stops_and_recovers()
    {
        backend.SkipIfMissing(Component.Engine, Component.Prometheus, Component.Blackbox, Component.CAdvisor);

        var up = $"probe_success{{job=\"engine-health\",instance=\"{Component.Engine}\"}}";
        await CreateTinyModelAsync();
        var before = await UntilAsync("a first sample of the probe", Component.Prometheus, async () =>
            Assert.Single(await backend.Prometheus.QueryAsync($"min_over_time(timestamp({up} == 1)[30m:15s])")).Value);

        await backend.StopAsync(Component.Engine);
        await UntilAsync("the probe to turn 0", Component.Blackbox, async () =>
            Assert.Equal(0, Assert.Single(await backend.Prometheus.QueryAsync(up)).Value));
        Assert.False(await backend.IsHealthyAsync(Component.Engine));

        await backend.StartAsync(Component.Engine);
        await UntilAsync("the probe to turn 1", Component.Engine, async () =>
            Assert.Equal(1, Assert.Single(await backend.Prometheus.QueryAsync(up)).Value));
        await UntilAsync("the engine to be healthy again", Component.Engine, async () =>
            Assert.True(await backend.IsHealthyAsync(Component.Engine)));

        Assert.Contains(OllamaClient.TinyModelName, await Engine.ListModelsAsync());
        Assert.Equal(before, Assert.Single(await backend.Prometheus.QueryAsync($"min_over_time(timestamp({up} == 1)[30m:15s])")).Value, tolerance: 30);
        await UntilAsync("the restart to be counted", Component.CAdvisor, async () =>
            Assert.NotEmpty(await backend.Prometheus.QueryAsync("container_start_time_seconds{job=\"engines\"} > time() - 120")));
        Assert.NotEmpty(await UntilAsync("the engine to answer", Component.Engine, () => Engine.GenerateAsync("Hello again")));
    }

    // Times, names made of them, and how much of the prompt was cached: they differ from one answer to the next of Ollama's own.
    private static string WithoutTimes(string stream) => ChangingField().Replace(stream, "");

    [GeneratedRegex("\"(created_at|created|id|(total|load|prompt_eval|eval)_duration|prompt_eval_cached_count|cached_tokens|[a-z_]+_ms|[a-z_]+_per_second)\":(\"[^\"]*\"|[0-9.e+-]+),?")]
    private static partial Regex ChangingField();

    private async Task<IReadOnlyList<JsonElement>> QueryLogsAsync(string query)
    {
        using var response = await backend.Http.GetAsync(new Uri(backend.Url(Component.Loki), $"loki/api/v1/query_range?query={Uri.EscapeDataString(query)}"));
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{query}: {response.StatusCode} {body}");
        return [.. JsonSerializer.Deserialize<JsonElement>(body).GetProperty("data").GetProperty("result").EnumerateArray()];
    }

    private async Task<JsonElement> GetGrafanaAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(backend.Url(Component.Grafana), path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes("admin:admin")));
        using var response = await backend.Http.SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{path}: {response.StatusCode} {body}");
        return JsonSerializer.Deserialize<JsonElement>(body);
    }

    // A published application names all its targets, also those of a component that this machine cannot have.
    private bool IsInGraph(string job) => !s_jobs.TryGetValue(job, out var needed) || needed.All(backend.Has);

    private bool HasData(DashboardExpression expression) =>
        expression.Sources.All(source => s_sources.TryGetValue(source, out var needed) && needed.All(backend.Has))
        && Regex.Matches(expression.Expression, "job=\"(?<job>[^\"]+)\"").Select(match => match.Groups["job"].Value).All(IsInGraph)
        && (!expression.Expression.Contains("job=\"engines\"", StringComparison.Ordinal) || backend.Has(Component.Engine));

    private static string Kind => Component.Engine == Component.Ollama ? "ollama" : "llama-server";

    // llama-server has it from its start.
    private Task CreateTinyModelAsync() => backend.Has(Component.Ollama) ? Ollama.CreateTinyModelAsync() : Task.CompletedTask;

    // One that finds its model absent, and streams and answers in one piece that do not.
    private async Task SendEveryKindOfRequestAsync()
    {
        if (backend.Has(Component.Ollama))
        {
            await Ollama.PostAsync("api/generate", new { model = OllamaClient.TinyModelName, keep_alive = 0 });
        }

        await Task.Delay(s_fleetInterval);
        for (var i = 0; i < 3; i++)
        {
            await Gateway.GenerateAsync("Hello");
            await Gateway.PostAsync("v1/chat/completions", new { model = OllamaClient.TinyModelName, messages = s_messages, stream = true, max_tokens = 24 });
            await Gateway.PostAsync("api/chat", new { model = OllamaClient.TinyModelName, messages = s_messages, stream = false, options = new { num_predict = 24 } });
        }
    }

    private Task UntilAsync(string what, Component component, Func<Task> attempt) =>
        Wait.UntilAsync(what, s_dataLimit, attempt, () => backend.LogAsync(component));

    private async Task<T> UntilAsync<T>(string what, Component component, Func<Task<T>> attempt)
    {
        T result = default!;
        await UntilAsync(what, component, async () => { result = await attempt(); });
        return result;
    }
}
