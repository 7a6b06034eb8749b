using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Hazumu.Hosting.LlamaServer;
using Hazumu.Hosting.Preflight;
using Hazumu.Hosting.Settings;
using Microsoft.Extensions.Configuration;
using static Hazumu.Tests.Model.GraphModel;

namespace Hazumu.Tests.Model;

/// <summary>The engines of a graph beside Ollama's containers: llama-server, vLLM, this machine's Ollama, and those elsewhere.</summary>
public sealed class GraphEngineTests : IDisposable
{
    private static readonly HostFacts s_nvidia = GatewayTests.LinuxHost with { HasNvidiaDevice = true, EngineOffersNvidia = true };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hazumu-models-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Llama_server_serves_the_test_model_unless_a_file_is_named()
    {
        await using var model = await CreateAsync("--Hazumu:LlamaServer:Enabled=true", "--Hazumu:LlamaServer:Parallel=4", "--Hazumu:Ollama:Enabled=false");
        model.OnHost(GatewayTests.LinuxHost);
        var server = model.Container("llamaserver");
        var environment = await model.EnvironmentAsync(server);

        Assert.Equal("ghcr.io/ggml-org/llama.cpp:server-b11669", Image(server));
        Assert.Equal((8012, 8080), (Endpoint(server).Port, Endpoint(server).TargetPort));
        Assert.Equal(["--host", "0.0.0.0", "--port", "8080", "--metrics", "--no-webui", "--offline"], await ArgumentsAsync(server));
        Assert.Equal(("/models/tiny.gguf", "tiny", "4", "8192"), (environment["LLAMA_ARG_MODEL"], environment["LLAMA_ARG_ALIAS"], environment["LLAMA_ARG_N_PARALLEL"], environment["LLAMA_ARG_CTX_SIZE"]));
        Assert.NotEmpty(server.Annotations.OfType<HealthCheckAnnotation>());
        Assert.Contains("hazumu.engine=llama-server", await EngineArgumentsAsync(server));
        var targets = await model.ReadTargetsAsync();
        Assert.Contains(("llamaserver:8080", "llamaserver"), targets["services.json"]);
        Assert.Equal([("llamaserver:8080", "llamaserver")], targets["engine-health.json"]);
        Assert.Equal("llamaserver", Reference((await model.EnvironmentAsync(model.Gateway))["ConnectionStrings__llamaserver"]));
    }

    [Fact]
    public async Task Each_model_file_is_mounted_into_a_llama_server_of_its_own()
    {
        var (first, second) = (WriteModel("qwen3-0.6b.gguf"), WriteModel("gemma.gguf"));
        await using var model = await CreateAsync("--Hazumu:LlamaServer:Enabled=true", $"--Hazumu:Models={first},qwen3:0.6b,{second}");

        Assert.Equal([$"BindMount:{first}:/models/qwen3-0.6b.gguf:ro"], Mounts(model.Container("llamaserver")));
        Assert.Equal([$"BindMount:{second}:/models/gemma.gguf:ro"], Mounts(model.Container("llamaserver-2")));
        Assert.Equal("qwen3-0.6b", (await model.EnvironmentAsync(model.Container("llamaserver")))["LLAMA_ARG_ALIAS"]);
        Assert.Equal("gemma", (await model.EnvironmentAsync(model.Container("llamaserver-2")))["LLAMA_ARG_ALIAS"]);
        Assert.Equal((8012, 8013), (Endpoint(model.Container("llamaserver")).Port, Endpoint(model.Container("llamaserver-2")).Port));
        // Ollama pulls the one with a name, and imports the others.
        Assert.Equal(["ollama-qwen3-0-6b"], model.Resources.OfType<OllamaModelResource>().Select(resource => resource.Name));
    }

    [Theory]
    [InlineData("none.gguf", null, "cannot be read")]
    [InlineData("text.gguf", "hello", "is not a GGUF file: it does not begin with the letters GGUF.")]
    public async Task File_that_is_no_model_is_reported(string name, string? contents, string reason)
    {
        var file = Path.Combine(_folder.FullName, name);
        if (contents is not null)
        {
            await File.WriteAllTextAsync(file, contents);
        }

        var sentence = (await ReadProblemAsync("--Hazumu:LlamaServer:Enabled=true", $"--Hazumu:Models={file}")).Message;
        Assert.StartsWith($"The file '{file}' of 'Hazumu:Models' ", sentence, StringComparison.Ordinal);
        Assert.Contains(reason, sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task File_of_models_is_looked_for_without_an_engine_that_takes_it()
    {
        var file = Path.Combine(_folder.FullName, "none.gguf");
        Assert.StartsWith($"The file '{file}' of 'Hazumu:Models' cannot be read", (await ReadProblemAsync("--Hazumu:Ollama:Mode=host", $"--Hazumu:Models={file}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_of_one_name_are_refused()
    {
        var (first, second) = (WriteModel("a/model.gguf"), WriteModel("b/Model.gguf"));

        var problem = await ReadProblemAsync("--Hazumu:LlamaServer:Enabled=true", $"--Hazumu:Models={first},{second}");

        Assert.Equal($"'Hazumu:Models' has '{first}' and '{second}', which would both be the model 'model'; rename one of the files, or leave it out.", problem.Message);
        Assert.Equal(2, problem.ExitCode);
    }

    [Fact]
    public async Task All_parts_of_a_model_are_mounted_into_its_llama_server()
    {
        string[] parts = [.. Enumerable.Range(1, 3).Select(part => WriteModel($"qwen3-0000{part}-of-00003.gguf"))];
        await using var model = await CreateAsync("--Hazumu:LlamaServer:Enabled=true", $"--Hazumu:Models={parts[0]}");

        Assert.Equal(parts.Select(part => $"BindMount:{part}:/models/{Path.GetFileName(part)}:ro"), Mounts(model.Container("llamaserver")));
        var environment = await model.EnvironmentAsync(model.Container("llamaserver"));
        Assert.Equal(("/models/qwen3-00001-of-00003.gguf", "qwen3"), (environment["LLAMA_ARG_MODEL"], environment["LLAMA_ARG_ALIAS"]));
    }

    [Fact]
    public async Task A_missing_part_of_a_model_is_reported()
    {
        var (first, third) = (WriteModel("qwen3-00001-of-00003.gguf"), WriteModel("qwen3-00003-of-00003.gguf"));
        var second = first.Replace("00001-of", "00002-of", StringComparison.Ordinal);

        Assert.Equal(
            $"The model '{first}' of 'Hazumu:Models' has 3 parts, and '{second}' is missing; put all parts into one folder.",
            (await ReadProblemAsync("--Hazumu:LlamaServer:Enabled=true", $"--Hazumu:Models={first}")).Message);
        Assert.Equal(
            $"The file '{third}' of 'Hazumu:Models' is not the first part of its model; set the path of '{first}'.",
            (await ReadProblemAsync("--Hazumu:LlamaServer:Enabled=true", $"--Hazumu:Models={third}")).Message);
    }

    [Fact]
    public async Task Model_of_several_files_is_refused_for_Ollama_alone()
    {
        var (first, _) = (WriteModel("qwen3-00001-of-00002.gguf"), WriteModel("qwen3-00002-of-00002.gguf"));

        var problem = await ReadProblemAsync($"--Hazumu:Models={first}");

        Assert.Equal($"The model '{first}' of 'Hazumu:Models' has 2 parts, which Ollama cannot import; set Hazumu:LlamaServer:Enabled to true, or join the parts with llama.cpp's 'llama-gguf-split --merge'.", problem.Message);
        Assert.Equal(2, problem.ExitCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("name,file", "--Hazumu:Ollama:Mode=host")]
    [InlineData("name", "--Hazumu:Ollama:Enabled=false", "--Hazumu:LlamaServer:Enabled=true")]
    [InlineData("name,file", "--Hazumu:Ollama:Mode=none", "--Hazumu:Vllm:Enabled=true")]
    [InlineData("name,file", "--Hazumu:Ollama:Mode=none", "--Hazumu:Engines:gpu-1:Url=http://gpu-1:8000")]
    public void Models_that_no_engine_serves_are_reported(string? reported, params string[] options)
    {
        var file = WriteModel("own.gguf");

        var sentences = ReadSettings([$"--Hazumu:Models=qwen3:0.6b,{file}", .. options]).FindModelsWithoutEngine();

        Assert.Equal(
            new[]
            {
                ("name", "'Hazumu:Models' names qwen3:0.6b, and there is no Ollama in a container of this graph to pull models; pull them where the engine is, or set the path of a GGUF file."),
                ("file", $"'Hazumu:Models' has the files {file}, and this graph has no engine that takes files; set Hazumu:LlamaServer:Enabled to true."),
            }.Where(sentence => reported?.Split(',').Contains(sentence.Item1) == true).Select(sentence => sentence.Item2),
            sentences);
    }

    [Fact]
    public void Gateway_is_left_out_without_any_engine()
    {
        Assert.False(IsGatewayEnabled("--Hazumu:Ollama:Mode=none"));
        Assert.True(IsGatewayEnabled("--Hazumu:Ollama:Mode=none", "--Hazumu:Engines:gpu-1:Url=http://gpu-1:8000"));
        Assert.True(IsGatewayEnabled("--Hazumu:Ollama:Mode=host"));
        Assert.True(IsGatewayEnabled("--Hazumu:Ollama:Enabled=false", "--Hazumu:LlamaServer:Enabled=true"));

        static bool IsGatewayEnabled(params string[] options) =>
            DistributedApplication.CreateBuilder([.. DefaultOptions.Elsewhere.Where(option => !option.StartsWith("--Hazumu:Gateway:Enabled", StringComparison.Ordinal)), .. options]).AddHazumuSettings().Gateway.Enabled;
    }

    [Fact]
    public async Task Engines_elsewhere_are_settings_of_the_gateway()
    {
        var (key, authorities) = (WriteModel("key"), WriteModel("ca.pem"));
        await using var model = await CreateAsync(
            "--Hazumu:Engines:gpu-1:Url=http://gpu-1:8000", "--Hazumu:Engines:gpu-1:Kind=llama-server", "--Hazumu:Engines:gpu-1:Slots=8",
            "--Hazumu:Engines:far:Url=https://far.example", $"--Hazumu:Engines:far:KeyFile={key}", $"--Hazumu:Engines:far:CaFile={authorities}", "--Hazumu:Engines:far:Models=qwen*,gemma3");
        var environment = (await model.EnvironmentAsync(model.Gateway)).Where(variable => variable.Key.StartsWith("Gateway__Engines__", StringComparison.Ordinal)).ToDictionary(variable => variable.Key["Gateway__Engines__".Length..], variable => variable.Value);

        Assert.Equal(
            new Dictionary<string, object>
            {
                ["gpu-1__Url"] = "http://gpu-1:8000",
                ["gpu-1__Kind"] = "llama-server",
                ["gpu-1__Slots"] = "8",
                ["far__Url"] = "https://far.example",
                ["far__KeyFile"] = key,
                ["far__CaFile"] = authorities,
                ["far__Models"] = "qwen*,gemma3",
            }.OrderBy(variable => variable.Key),
            environment.OrderBy(variable => variable.Key));
    }

    [Fact]
    public async Task Engine_without_address_is_reported() =>
        Assert.Equal(
            "'Hazumu:Engines:gpu-1' has no 'Url'; set 'Hazumu:Engines:gpu-1:Url' to the engine's address, such as 'http://gpu-1:8000'.",
            (await ReadProblemAsync("--Hazumu:Engines:gpu-1:Slots=8")).Message);

    [Theory]
    [InlineData("gpu_1", "has a name that is not allowed; allowed: letters, digits and hyphens.")]
    [InlineData("ollama", "has a name of the graph itself; choose another, such as 'gpu-1'.")]
    [InlineData("Ollama-2", "has a name of the graph itself; choose another, such as 'gpu-1'.")]
    [InlineData("llamaserver", "has a name of the graph itself; choose another, such as 'gpu-1'.")]
    [InlineData("vllm", "has a name of the graph itself; choose another, such as 'gpu-1'.")]
    [InlineData("host", "has a name of the graph itself; choose another, such as 'gpu-1'.")]
    public async Task Engine_with_a_name_that_is_taken_or_not_allowed_is_reported(string name, string reason)
    {
        var problem = await ReadProblemAsync($"--Hazumu:Engines:{name}:Url=http://gpu-1:8000");
        Assert.Equal(($"'Hazumu:Engines:{name}' {reason}", 2), (problem.Message, problem.ExitCode));
    }

    [Fact]
    public async Task Files_of_engines_that_are_missing_are_reported() =>
        Assert.Equal(
            ["'Hazumu:Engines:far:KeyFile' is '/none/key', but this file does not exist; correct the path.", "'Hazumu:Engines:far:CaFile' is '/none/ca.pem', but this file does not exist; correct the path."],
            (await ReadProblemAsync("--Hazumu:Engines:far:Url=https://far.example", "--Hazumu:Engines:far:KeyFile=/none/key", "--Hazumu:Engines:far:CaFile=/none/ca.pem")).Problems);

    [Fact]
    public async Task Key_of_an_engine_without_TLS_is_reported()
    {
        var file = WriteModel("key");

        Assert.Equal(
            ["'Hazumu:Engines:far:CaFile' is set, but 'http://far.example' is not an https URL and has no certificate; set an https URL, or remove the setting.",
                "'Hazumu:Engines:far:KeyFile' is set, and 'http://far.example' has no TLS: the key would go there in plain text; set an https URL, or remove the key."],
            (await ReadProblemAsync("--Hazumu:Engines:far:Url=http://far.example", $"--Hazumu:Engines:far:KeyFile={file}", $"--Hazumu:Engines:far:CaFile={file}")).Problems);
        await using var model = await CreateAsync("--Hazumu:Engines:near:Url=http://localhost:8000", $"--Hazumu:Engines:near:KeyFile={file}");
        Assert.Equal("http://localhost:8000", (await model.EnvironmentAsync(model.Gateway))["Gateway__Engines__near__Url"]);
    }

    [Fact]
    public void Key_of_an_engine_of_this_machine_needs_TLS_where_the_gateway_is_a_container() =>
        Assert.Equal(
            "'Hazumu:Engines:near:KeyFile' is set, and 'http://localhost:8000' has no TLS, and a gateway in a container reaches this machine over a network, as 'http://host.docker.internal:8000': the key would go there in plain text; set an https URL, or remove the key.",
            Assert.Throws<StartupProblemException>(() => DistributedApplication.CreateBuilder([]).AddHazumuGateway("gateway").WithEngines(
                new Dictionary<string, EngineSettings> { ["near"] = new() { Url = "http://localhost:8000", KeyFile = WriteModel("key") } })).Message);

    [Fact]
    public async Task Ollama_of_this_machine_takes_the_place_of_the_container()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Mode=host");
        model.OnHost(GatewayTests.LinuxHost);
        var environment = await model.EnvironmentAsync(model.Gateway);

        Assert.Empty(model.Resources.OfType<OllamaResource>());
        Assert.Equal(("http://localhost:11434", "ollama"), (environment["Gateway__Engines__ollama__Url"], environment["Gateway__Engines__ollama__Kind"]));
        Assert.Equal([("host.docker.internal:11434", "ollama")], (await model.ReadTargetsAsync())["engine-health.json"]);
        Assert.Contains("host.docker.internal:host-gateway", await EngineArgumentsAsync(model.Container("blackbox")));
        Assert.Contains("engine-health", await model.ReadExpectedJobsAsync());
    }

    [Fact]
    public async Task Each_instance_gets_its_own_NVIDIA_GPUs()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Instances=2", "--Hazumu:Ollama:Gpus=0,1;GPU-8a2c");
        model.OnHost(s_nvidia);

        Assert.Contains("--gpus \"device=0,1\"", string.Join(' ', await EngineArgumentsAsync(model.Container("ollama"))), StringComparison.Ordinal);
        Assert.Contains("--gpus \"device=GPU-8a2c\"", string.Join(' ', await EngineArgumentsAsync(model.Container("ollama-2"))), StringComparison.Ordinal);
        Assert.DoesNotContain("all", await EngineArgumentsAsync(model.Container("ollama")));
    }

    [Theory]
    [InlineData("docker", "0,1", "--gpus \"device=0,1\"")]
    [InlineData("docker", null, "--gpus all")]
    [InlineData("podman", "0,1", "--device nvidia.com/gpu=0 --device nvidia.com/gpu=1")]
    [InlineData("podman", null, "--device nvidia.com/gpu=all")]
    public void Each_container_engine_gets_NVIDIA_GPUs_by_its_own_arguments(string engine, string? gpus, string expected)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("ASPIRE_CONTAINER_RUNTIME", (string?)engine)]).Build();
        Assert.Equal(expected, string.Join(' ', GpuDevices.NvidiaArguments(configuration, GpuDevices.Read(gpus).SingleOrDefault())));
    }

    [Fact]
    public async Task Each_instance_gets_its_own_AMD_GPUs()
    {
        await using var model = await CreateAsync("--Hazumu:Ollama:Instances=2", "--Hazumu:Ollama:Gpus=0;1");
        model.OnHost(GatewayTests.LinuxHost with { HasAmdDevice = true });

        foreach (var (name, gpu) in new[] { ("ollama", "0"), ("ollama-2", "1") })
        {
            Assert.Equal(gpu, (await model.EnvironmentAsync(model.Container(name)))["ROCR_VISIBLE_DEVICES"]);
            Assert.Contains("--device /dev/kfd --device /dev/dri", string.Join(' ', await EngineArgumentsAsync(model.Container(name))), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task GPUs_of_another_number_of_instances_are_reported() =>
        Assert.StartsWith(
            "'Hazumu:Ollama:Gpus' is '0;1', the GPUs of 2 instances, and 'Hazumu:Ollama:Instances' is 1;",
            Assert.IsType<StartupProblemException>((await Assert.ThrowsAnyAsync<Exception>(() => CreateAsync("--Hazumu:Ollama:Gpus=0;1"))).GetBaseException()).Message,
            StringComparison.Ordinal);

    [Fact]
    public async Task Ollamas_own_variables_are_settings()
    {
        await using var model = await CreateAsync(
            "--Hazumu:Ollama:KeepAlive=-1", "--Hazumu:Ollama:ContextLength=32768", "--Hazumu:Ollama:MaxLoadedModels=2", "--Hazumu:Ollama:KvCacheType=q8_0", "--Hazumu:Ollama:FlashAttention=true",
            "--Hazumu:Ollama:Origins=https://chat.example", "--Hazumu:Ollama:Proxy=http://proxy.example:3128", "--Hazumu:Ollama:NoProxy=registry.lan");
        var environment = await model.EnvironmentAsync(model.Container("ollama"));

        foreach (var (name, value) in new[]
        {
            ("OLLAMA_KEEP_ALIVE", "-1"), ("OLLAMA_CONTEXT_LENGTH", "32768"), ("OLLAMA_MAX_LOADED_MODELS", "2"), ("OLLAMA_KV_CACHE_TYPE", "q8_0"), ("OLLAMA_FLASH_ATTENTION", "true"),
            ("OLLAMA_ORIGINS", "https://chat.example"), ("HTTPS_PROXY", "http://proxy.example:3128"), ("NO_PROXY", "registry.lan"),
        })
        {
            Assert.Equal(value, environment[name]);
        }
    }

    [Fact]
    public async Task Without_a_proxy_setting_the_engines_own_proxy_stays()
    {
        await using var model = await CreateAsync();
        Assert.DoesNotContain("HTTPS_PROXY", (await model.EnvironmentAsync(model.Container("ollama"))).Keys);
    }

    [Fact]
    public async Task Vllm_gets_its_model_its_cache_its_token_and_its_GPUs()
    {
        var token = Path.Combine(_folder.FullName, "token");
        await File.WriteAllTextAsync(token, "hf_secret");
        await using var model = await CreateAsync("--Hazumu:Vllm:Enabled=true", "--Hazumu:Vllm:Model=Qwen/Qwen3-8B", "--Hazumu:Vllm:TensorParallel=2", "--Hazumu:Vllm:Gpus=2,3", $"--Hazumu:Vllm:TokenFile={token}");
        model.OnHost(s_nvidia);
        var vllm = model.Container("vllm");
        var environment = await model.EnvironmentAsync(vllm);

        Assert.Equal(["--model=Qwen/Qwen3-8B", "--tensor-parallel-size=2", "--max-num-seqs=256"], await ArgumentsAsync(vllm));
        Assert.Equal([$"Volume:vllm_data:/var/lib/vllm", $"BindMount:{token}:/run/secrets/huggingface_token:ro"], Mounts(vllm));
        Assert.Equal(("/var/lib/vllm/huggingface", "/run/secrets/huggingface_token"), (environment["HF_HOME"], environment["HF_TOKEN_PATH"]));
        Assert.DoesNotContain("hf_secret", environment.Values.OfType<string>());
        Assert.Contains("--gpus \"device=2,3\" --shm-size 8g", string.Join(' ', await EngineArgumentsAsync(vllm)), StringComparison.Ordinal);
        Assert.Contains(("vllm:8000", "vllm"), (await model.ReadTargetsAsync())["services.json"]);
        Assert.Equal("vllm", Reference((await model.EnvironmentAsync(model.Gateway))["ConnectionStrings__vllm"]));
    }

    [Fact]
    public async Task Vllm_without_an_NVIDIA_runtime_is_reported()
    {
        await using var model = await CreateAsync("--Hazumu:Vllm:Enabled=true");
        Assert.StartsWith("Hazumu:Vllm:Enabled is 'true', but the container engine has no NVIDIA runtime;", Assert.Throws<StartupProblemException>(() => model.OnHost(GatewayTests.LinuxHost)).Message, StringComparison.Ordinal);
    }

    private static HazumuOptions ReadSettings(params string[] options) => DistributedApplication.CreateBuilder([.. DefaultOptions.Elsewhere, .. options]).AddHazumuSettings();

    private static async Task<StartupProblemException> ReadProblemAsync(params string[] options)
    {
        var problem = await Assert.ThrowsAnyAsync<Exception>(() => CreateAsync(options));
        return problem as StartupProblemException ?? Assert.IsType<StartupProblemException>(problem.GetBaseException());
    }

    private static string Reference(object value) => Assert.IsType<ConnectionStringReference>(value).Resource.Name;

    private string WriteModel(string name)
    {
        var file = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, TinyModel.File);
        return file;
    }
}
