using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Hazumu.Gateway.Tests.Configuration;

public sealed class GatewaySettingsTests : IDisposable
{
    private readonly SettingsFile _file = new("Slots=2");
    private readonly KeptLog<GatewaySettings> _log = new();

    [Theory]
    [InlineData("Endpoint=http://gpu-1:11434", "http://gpu-1:11434")]
    [InlineData("endpoint=https://gpu-1", "https://gpu-1")]
    [InlineData("Endpoint=http://[::1]:11434/", "http://[::1]:11434/")]
    [InlineData("Host=db;Password=x", null)]
    [InlineData("http://gpu-1:11434", null)]
    [InlineData("", null)]
    public void Connection_strings_of_Aspires_form_are_engines(string connectionString, string? url)
    {
        var options = GatewaySettings.Read(Configuration(("ConnectionStrings:ollama", connectionString)));

        Assert.Equal(url, options.Engines.GetValueOrDefault("ollama")?.Url);
    }

    [Fact]
    public void A_models_connection_string_is_no_second_engine()
    {
        // Aspire makes one for each model that is referenced beside its server.
        var options = GatewaySettings.Read(Configuration(
            ("ConnectionStrings:ollama", "Endpoint=http://gpu-1:11434"), ("ConnectionStrings:ollama-llama3", "Endpoint=http://gpu-1:11434;Model=llama3")));

        Assert.Equal(["ollama"], options.Engines.Keys);
    }

    [Fact]
    public void The_settings_section_wins_over_a_connection_string()
    {
        var options = GatewaySettings.Read(Configuration(("ConnectionStrings:a", "Endpoint=http://reference"), ("Gateway:Engines:A:Url", "http://configured")));

        Assert.Equal("http://configured", Assert.Single(options.Engines).Value.Url);
    }

    [Fact]
    public void An_engine_of_a_reference_takes_the_settings_of_its_name()
    {
        var options = GatewaySettings.Read(Configuration(("ConnectionStrings:a", "Endpoint=http://reference"), ("Gateway:Engines:a:Slots", "4"), ("Gateway:Engines:a:Kind", "llama-server")));

        var engine = Assert.Single(options.Engines).Value;
        Assert.Equal(("http://reference", 4, EngineKind.LlamaServer), (engine.Url, engine.Slots, engine.Kind));
    }

    [Theory]
    [InlineData("'Gateway:Engines:a' has no 'Url'; set 'Gateway:Engines:a:Url' to the engine's address, such as 'http://gpu-1:11434'.", "Slots=4")]
    [InlineData("'Gateway:Engines:a:Key' and 'Gateway:Engines:a:KeyFile' are both set; set one of them.", "Url=https://gpu-1", "Key=x", "KeyFile=/x")]
    [InlineData("'Gateway:Engines:a' needs TLS, and 'http://gpu-1' has none: the key would go over the network in plain text.", "Url=http://gpu-1", "Key=hush")]
    [InlineData("'Gateway:Engines:a' needs TLS, and 'http://gpu-1' has none: there is no certificate for 'CaFile'.", "Url=http://gpu-1", "CaFile=/x")]
    [InlineData("'Gateway:Engines:a:Key' must hold a key of 1 to 4096 visible ASCII characters without a space.", "Url=http://127.0.0.1:8000", "Key=hush hush")]
    public void An_engine_whose_settings_do_not_go_together_is_reported(string sentence, params string[] settings) =>
        Assert.Equal(sentence, Assert.Throws<StartupProblemException>(() => GatewaySettings.Read(Configuration(
            [.. settings.Select(setting => setting.Split('=', 2)).Select(parts => ($"Gateway:Engines:a:{parts[0]}", parts[1]))]))).Message);

    [Fact]
    public void An_engine_of_this_machine_may_have_a_key_without_TLS() =>
        Assert.Equal("hush", GatewaySettings.Read(Configuration(("Gateway:Engines:a:Url", "http://127.0.0.1:8000"), ("Gateway:Engines:a:Key", "hush"))).Engines["a"].Key);

    [Theory]
    [InlineData("Gateway:Instances:gpu-1", "http://gpu-1:11434")]
    [InlineData("Gateway:InstanceAccess:gpu-1:KeyFile", "/run/secrets/key")]
    public void A_former_setting_is_refused_with_the_new_ones_name(string key, string value)
    {
        var problem = Assert.Throws<StartupProblemException>(() => GatewaySettings.Read(Configuration((key, value))));

        Assert.Equal($"'{key[..key.IndexOf(":gpu", StringComparison.Ordinal)]}' is 'Gateway:Engines' now; it has a section for each name, with Url, Kind, Key, KeyFile, CaFile, Models, Slots, Weight.", problem.Message);
    }

    [Theory]
    [InlineData("Gateway:Engines:a:Url", "gpu-1:11434")]
    [InlineData("Gateway:Engines:a:Url", "ftp://gpu-1")]
    [InlineData("Gateway:Engines:a:Url", "http://gpu-1/api")]
    [InlineData("Gateway:Engines:a:Url", "http://gpu-1?x=y")]
    [InlineData("Gateway:Engines:a:Url", "http://me@gpu-1")]
    [InlineData("Gateway:Engines:a:Url", "http://")]
    [InlineData("Gateway:Engines:a:Kind", "tgi")]
    [InlineData("Gateway:Engines:a:Kind", "LlamaServer")]
    [InlineData("Gateway:Engines:a:Slots", "0")]
    [InlineData("ConnectionStrings:a", "Endpoint=gpu-1")]
    [InlineData("Gateway:Slots", "0")]
    [InlineData("Gateway:Queue:Limit", "-1")]
    [InlineData("Gateway:Queue:Timeout", "0s")]
    [InlineData("Gateway:Timeouts:Stall", "30")]
    [InlineData("Gateway:Timeouts:Drain", "21d")]
    [InlineData("Gateway:Retries:Limit", "11")]
    [InlineData("Gateway:Body:Limit", "1")]
    [InlineData("Gateway:Body:MemoryLimit", "1000")]
    [InlineData("Gateway:Body:DiskLimit", "1 GB")]
    [InlineData("Gateway:Proxies", "10.0.0.0/8")]
    [InlineData("Gateway:Proxies", "http://caddy")]
    [InlineData("Gateway:Proxies", "*")]
    [InlineData("Gateway:AllowCloudModels", "maybe")]
    [InlineData("Gateway:Keys:Required", "on")]
    [InlineData("Gateway:Quue:Limit", "5")]
    public void A_value_that_is_not_allowed_is_reported_with_its_key(string key, string value)
    {
        var problem = Assert.Throws<StartupProblemException>(() => GatewaySettings.Read(Configuration((key, value))));

        Assert.Contains(key.StartsWith("Connection", StringComparison.Ordinal) ? "'a'" : key.Split(":Limit")[0], Assert.Single(problem.Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void A_change_takes_effect_and_is_logged_once()
    {
        using var settings = Start();
        var seen = new List<int>();
        settings.Changed += options => seen.Add(options.Slots);

        settings.ReloadIfChanged();
        _file.Set("Slots=4");
        settings.ReloadIfChanged();
        settings.ReloadIfChanged();

        Assert.Equal([4], seen);
        Assert.Equal(4, settings.Current.Slots);
        Assert.Equal([(LogLevel.Information, "The settings have changed and are now in effect.")], _log.Lines);
    }

    [Theory]
    [InlineData("""{"Gateway": {"Slots": 4""", "JSON")]
    [InlineData("""{"Gateway": {"Slots": "four"}}""", "'Gateway:Slots' is 'four'; allowed: a number from 1 to 100000.")]
    [InlineData("""{"Gateway": {"Slots": 4, "Slotz": 4}}""", "Unknown setting 'Gateway:Slotz'")]
    [InlineData("""{"Gateway": {"Slots": 4, "Engines": {"a": {"Url": "nowhere"}}}}""", "'Gateway:Engines:a:Url' is 'nowhere'")]
    [InlineData("""{"Gateway": {"Slots": 4, "slots": 5}}""", "Gateway:slots")]
    [InlineData("[]", "JSON")]
    [InlineData("", "JSON")]
    public void A_broken_change_keeps_the_settings_and_is_logged_in_one_line(string text, string problem)
    {
        using var settings = Start();
        settings.Changed += _ => Assert.Fail("Nothing has changed.");

        _file.Write(text);
        settings.ReloadIfChanged();
        settings.ReloadIfChanged();

        Assert.Equal(2, settings.Current.Slots);
        var line = Assert.Single(_log.Lines);
        Assert.Equal(LogLevel.Error, line.Level);
        Assert.StartsWith("The settings have changed but are not valid; the old ones stay in effect.", line.Message, StringComparison.Ordinal);
        Assert.Contains(problem, line.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", line.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line.Message);
    }

    [Fact]
    public void A_file_that_is_gone_changes_nothing_and_one_that_is_back_does()
    {
        using var settings = Start();
        File.Delete(_file.FullPath);
        settings.ReloadIfChanged();
        Assert.Equal(2, settings.Current.Slots);
        Assert.Single(_log.Errors);

        _file.Set("Slots=3");
        settings.ReloadIfChanged();
        Assert.Equal(3, settings.Current.Slots);
    }

    [Fact]
    public void Settings_that_a_check_rejects_reach_no_subscriber()
    {
        using var settings = Start();
        settings.Checking += _ => throw new KeyFileException("The keys are wrong.");
        settings.Changed += _ => Assert.Fail("Nothing has changed.");

        _file.Set("Slots=4");
        settings.ReloadIfChanged();

        Assert.Equal(2, settings.Current.Slots);
        Assert.EndsWith("The keys are wrong.", Assert.Single(_log.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unexpected_failure_of_a_change_does_not_end_the_gateway()
    {
        using var settings = Start();
        using var folder = new TemporaryFolder();
        var store = new KeyStore(settings.Current.Keys, TimeProvider.System, new KeptLog<KeyStore>());
        settings.Checking += options => store.Prepare(options.Keys);

        // No path has such a character, and the framework says so in a way of its own.
        _file.Write("""{"Gateway": {"Slots": 4, "Keys": {"File": "keys\u0000.json"}}}""");
        settings.ReloadIfChanged();

        Assert.Equal(2, settings.Current.Slots);
        Assert.Single(_log.Errors);
    }

    [Fact]
    public void A_file_that_is_replaced_by_a_link_is_seen()
    {
        using var settings = Start();
        var other = _file.File("other.json");
        File.WriteAllText(other, """{"Gateway": {"Slots": 5}}""");
        File.Delete(_file.FullPath);
        File.CreateSymbolicLink(_file.FullPath, other);

        settings.ReloadIfChanged();

        Assert.Equal(5, settings.Current.Slots);
    }

    public void Dispose() => _file.Dispose();

    private GatewaySettings Start() => new(() => new ConfigurationBuilder().AddJsonFile(_file.FullPath).Build(), [_file.FullPath], _log);

    private static IConfiguration Configuration(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(value => KeyValuePair.Create(value.Key, (string?)value.Value))).Build();
}
