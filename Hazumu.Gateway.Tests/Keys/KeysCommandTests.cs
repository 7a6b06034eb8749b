using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Keys;

public sealed class KeysCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(TestKeys.Now);

    private string Path => _folder.File("keys.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Create_prints_the_key_alone_and_stores_its_hash()
    {
        var (code, output, error) = await Run("keys", "create", "alice");

        Assert.Equal(0, code);
        Assert.Matches("^hzm_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$", output.TrimEnd());
        Assert.Equal(output.TrimEnd() + Environment.NewLine, output);
        Assert.DoesNotContain(output.Trim()[13..], error, StringComparison.Ordinal);
        Assert.DoesNotContain(output.Trim()[13..], await File.ReadAllTextAsync(Path), StringComparison.Ordinal);

        var key = Assert.Single(KeyFile.Read(Path));
        Assert.Equal("alice", new KeySet(true, [key]).Find(output.Trim())?.Name);
        Assert.Equal(Scope.Infer | Scope.Read, key.Scopes);
        Assert.True(key.Models.IsAll);
        Assert.Equal((null, null, null, null), (key.RequestsPerMinute, key.TokensPerMinute, key.ConcurrentRequests, key.Expires));
        Assert.Equal(TestKeys.Now, key.Created);
    }

    [Fact]
    public async Task Create_takes_every_option()
    {
        var (code, _, _) = await Run(
            "keys", "create", "alice", "--scopes", "admin,INFER", "--models", "a, b*", "--requests-per-minute", "1", "--tokens-per-minute", "2",
            "--concurrent", "3", "--expires", "90d");

        Assert.Equal(0, code);
        var key = Assert.Single(KeyFile.Read(Path));
        Assert.Equal(Scope.Infer | Scope.Admin, key.Scopes);
        Assert.Equal(["a", "b*"], key.Models.Patterns);
        Assert.Equal((1, 2, 3), (key.RequestsPerMinute, key.TokensPerMinute, key.ConcurrentRequests));
        Assert.Equal(TestKeys.Now.AddDays(90), key.Expires);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Create_takes_the_public_key_of_an_Ollama_client(bool asFile)
    {
        var publicKey = new OllamaKeyPair().PublicKey;
        var text = $"ssh-ed25519 {publicKey} alice@laptop\n";
        await File.WriteAllTextAsync(_folder.File("id_ed25519.pub"), text);

        var (code, _, error) = await Run("keys", "create", "alice", "--ollama-public-key", asFile ? _folder.File("id_ed25519.pub") : text);

        Assert.Equal(0, code);
        Assert.Contains("OLLAMA_AUTH=1", error, StringComparison.Ordinal);
        Assert.Equal(publicKey, Assert.Single(KeyFile.Read(Path)).OllamaPublicKey);
        await AssertFails("The key 'alice' has this public key of Ollama already; revoke it first.", "keys", "create", "bob", "--ollama-public-key", publicKey);
        Assert.Single(KeyFile.Read(Path));
    }

    [Fact]
    public async Task Create_says_that_a_file_holds_no_public_key()
    {
        await File.WriteAllTextAsync(_folder.File("id_ed25519"), "-----BEGIN OPENSSH PRIVATE KEY-----\n");

        var (code, _, error) = await Run("keys", "create", "alice", "--ollama-public-key", _folder.File("id_ed25519"));

        Assert.Equal(2, code);
        Assert.Contains("holds no public key of the type ssh-ed25519; give the one whose name ends in .pub.", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_ends_at_a_date()
    {
        await Run("keys", "create", "alice", "--expires", "2027-01-01");

        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), Assert.Single(KeyFile.Read(Path)).Expires);
    }

    [Fact]
    public async Task The_option_goes_before_the_configuration()
    {
        await Run("keys", "create", "alice", "--file", _folder.File("other.json"));

        Assert.False(File.Exists(Path));
        Assert.Single(KeyFile.Read(_folder.File("other.json")));
    }

    [Fact]
    public async Task List_shows_all_but_the_hash()
    {
        var (_, text, _) = await Run("keys", "create", "alice", "--models", "qwen*", "--requests-per-minute", "60", "--concurrent", "2", "--group", "sales", "--note", "for Bo", "--end-users", "X-User, body", "--end-user-concurrent", "1");
        await Run("keys", "create", "bob", "--scopes", "admin", "--priority", "batch", "--expires", "1d", "--ollama-public-key", new OllamaKeyPair().PublicKey);
        _time.Advance(TimeSpan.FromDays(2));
        var store = new KeyStore(new() { File = Path }, _time, new KeptLog<KeyStore>());
        store.Current.Find(text.Trim())!.LastUse.Set(_time.GetUtcNow().AddSeconds(-1));
        await store.SaveUsesAsync(default);

        var (code, output, error) = await Run("keys", "list");

        Assert.Equal((0, ""), (code, error));
        var ids = KeyFile.Read(Path).Select(key => key.Id).ToList();
        Assert.Equal(
            $"""
            NAME   ID        GROUP  SCOPES      MODELS  LIMITS                      END USERS                OLLAMA KEY  CREATED     LAST USED         EXPIRES               NOTE
            alice  {ids[0]}  sales  infer,read  qwen*   60 requests/min, 2 at once  X-User,body (1 at once)  -           2026-06-01  2026-06-03 11:59  -                     for Bo
            bob    {ids[1]}  -      admin       *       batch priority              -                        yes         2026-06-01  -                 2026-06-02 (expired)  -

            """,
            output,
            ignoreLineEndingDifferences: true);
        Assert.DoesNotContain(text.Trim()[13..], output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_says_where_there_are_none()
    {
        var (code, output, error) = await Run("keys", "list");

        Assert.Equal((0, ""), (code, output));
        Assert.Contains($"no keys in '{Path}'", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Revoke_removes_one_key_without_regard_to_case()
    {
        await Run("keys", "create", "alice");
        await Run("keys", "create", "bob");

        var (code, output, error) = await Run("keys", "revoke", "ALICE");

        Assert.Equal((0, ""), (code, output));
        Assert.Single(Lines(error));
        Assert.Equal("bob", Assert.Single(KeyFile.Read(Path)).Name);
    }

    [Fact]
    public async Task A_running_gateway_takes_what_the_command_changes()
    {
        var store = new KeyStore(new KeyOptions { File = Path, Required = true }, _time, new KeptLog<KeyStore>());
        var (_, text, _) = await Run("keys", "create", "alice");
        store.Refresh();
        Assert.NotNull(store.Current.Find(text.Trim()));

        await Run("keys", "revoke", "alice");
        store.Refresh();
        Assert.Null(store.Current.Find(text.Trim()));
    }

    [Fact]
    public async Task A_name_is_taken_once()
    {
        await Run("keys", "create", "alice");

        await AssertFails("The key 'Alice' exists already", "keys", "create", "Alice");
        await AssertFails("There is a key 'webui' in the configuration", "keys", "create", "webui");
        Assert.Single(KeyFile.Read(Path));
    }

    [Fact]
    public async Task Revoking_an_unknown_key_fails_and_creates_nothing()
    {
        await AssertFails("There is no key 'alice'", "keys", "revoke", "alice", "--file", _folder.File("typo/keys.json"));

        Assert.False(Directory.Exists(_folder.File("typo")));
    }

    [Theory]
    [InlineData("create", "alice")]
    [InlineData("list", null)]
    [InlineData("revoke", "alice")]
    public async Task A_broken_file_is_reported(string command, string? name)
    {
        await File.WriteAllTextAsync(Path, "broken");

        await AssertFails("is not valid JSON", ["keys", command, .. name is null ? (string[])[] : [name]]);

        Assert.Equal("broken", await File.ReadAllTextAsync(Path));
    }

    [Theory]
    [InlineData("keys")]
    [InlineData("keys frob")]
    [InlineData("keys create")]
    [InlineData("keys create a b")]
    [InlineData("keys create a/b")]
    [InlineData("keys create anonymous")]
    [InlineData("keys create alice --frob")]
    [InlineData("keys create alice --scopes")]
    [InlineData("keys create alice --scopes write")]
    [InlineData("keys create alice --scopes infer,")]
    [InlineData("keys create alice --priority urgent")]
    [InlineData("keys create alice --models a?")]
    [InlineData("keys create alice --models a,")]
    [InlineData("keys create alice --requests-per-minute 0")]
    [InlineData("keys create alice --requests-per-minute -1")]
    [InlineData("keys create alice --tokens-per-minute x")]
    [InlineData("keys create alice --tokens-per-minute 2147483648")]
    [InlineData("keys create alice --concurrent 1.5")]
    [InlineData("keys create alice --expires 0d")]
    [InlineData("keys create alice --expires 99999999d")]
    [InlineData("keys create alice --expires 99999999999d")]
    [InlineData("keys create alice --expires 2026-06-01")]
    [InlineData("keys create alice --expires soon")]
    [InlineData("keys create alice --ollama-public-key")]
    [InlineData("keys create alice --ollama-public-key /no/such/file")]
    [InlineData("keys create alice --ollama-public-key ssh-rsa")]
    [InlineData("keys create alice --ollama-public-key /dev/null")]
    [InlineData("keys create alice --from x.csv")]
    [InlineData("keys create alice --end-users Cookie")]
    [InlineData("keys rotate")]
    [InlineData("keys rotate alice --overlap 91d")]
    [InlineData("keys rotate alice --overlap soon")]
    [InlineData("keys revoke")]
    [InlineData("keys list x")]
    public async Task Arguments_that_are_not_understood_are_reported_and_change_nothing(string line)
    {
        var (code, output, error) = await Run(line.Split(' '));

        Assert.Equal((2, ""), (code, output));
        Assert.NotEmpty(error.Trim());
        Assert.False(File.Exists(Path));
    }

    [Fact]
    public void Only_the_argument_keys_runs_the_command()
    {
        Assert.True(KeysCommand.IsAsked(["keys"]));
        Assert.True(KeysCommand.IsAsked(["keys", "list"]));
        Assert.False(KeysCommand.IsAsked([]));
        Assert.False(KeysCommand.IsAsked(["--urls", "keys"]));
    }

    [Fact]
    public void The_default_file_is_the_users()
    {
        var file = KeyOptions.DefaultFile;

        Assert.True(file is null || (System.IO.Path.IsPathRooted(file) && file.EndsWith(System.IO.Path.Combine("hazumu", "keys.json"), StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_rotated_key_has_a_new_secret_and_keeps_the_former_for_a_while()
    {
        var (_, first, _) = await Run("keys", "create", "alice", "--group", "sales");
        var before = Assert.Single(KeyFile.Read(Path));

        var (code, second, error) = await Run("keys", "rotate", "alice", "--overlap", "24h");

        Assert.Equal(0, code);
        Assert.Contains("the former one works until 2026-06-02T12:00:00Z", error, StringComparison.Ordinal);
        var key = Assert.Single(KeyFile.Read(Path));
        Assert.Equal((before.Id, "sales"), (key.Id, key.Group));
        Assert.Equal(before.Hash, Assert.Single(key.Former).Hash);
        Assert.Equal(_time.GetUtcNow().AddDays(1), key.Former[0].Expires);
        Assert.NotEqual(first, second);
        Assert.Contains("- (former secret: 2026-06-02 12:00)", (await Run("keys", "list")).Output, StringComparison.Ordinal);

        // A secret whose time is up is forgotten, and with an overlap of none there is no other.
        _time.Advance(TimeSpan.FromDays(2));
        await Run("keys", "rotate", "alice");
        Assert.Single(KeyFile.Read(Path)[0].Former);
        await Run("keys", "rotate", "alice", "--overlap", "0s");
        Assert.Empty(KeyFile.Read(Path)[0].Former);
        await AssertFails("There is no key 'bob'", "keys", "rotate", "bob");
    }

    [Fact]
    public async Task Many_keys_are_created_from_a_file_at_once()
    {
        var file = _folder.File("keys.csv");
        await File.WriteAllTextAsync(file, """
            name,models,Requests-Per-Minute,note,expires
            anna,"qwen*,tiny",60,"Anna, sales",90d
            # a comment
            bo,,,,

            """);

        var (code, output, error) = await Run("keys", "create", "--from", file);

        Assert.Equal((0, "2 keys are stored"), (code, error[..17]));
        var keys = KeyFile.Read(Path);
        Assert.Equal(["anna", "bo"], keys.Select(key => key.Name));
        Assert.Equal(("qwen*,tiny", 60, "Anna, sales", _time.GetUtcNow().AddDays(90)), (keys[0].Models.ToString(), keys[0].RequestsPerMinute, keys[0].Note, keys[0].Expires));
        Assert.Equal((Scope.Infer | Scope.Read, true, null), (keys[1].Scopes, keys[1].Models.IsAll, keys[1].Note));
        var lines = Lines(output);
        Assert.Equal("name,key", lines[0]);
        var set = new KeySet(isRequired: true, keys);
        Assert.Equal(["anna", "bo"], lines[1..].Select(line => set.Find(line.Split(',')[1])!.Name));
    }

    [Theory]
    [InlineData("name\nanna\nb b", "The last line of 'FILE' has the name 'b b'")]
    [InlineData("name\nanna\nAnna", "The last line of 'FILE' has the name 'Anna', which is there twice")]
    [InlineData("name,scopes\nanna,infer\nbo,all\ncarl,read", "Line 3 of 'FILE': --scopes is 'all'")]
    [InlineData("name,scopes\nanna", "of 'FILE' has 1 values and not 2")]
    [InlineData("name,colour\nanna,red", "The first line of 'FILE' is 'name,colour'; it must name the columns")]
    [InlineData("anna\nbo", "The first line of 'FILE' is 'anna'")]
    [InlineData("name,note\nanna,\"x", "of 'FILE' is no CSV")]
    [InlineData("", "'FILE' has no keys")]
    public async Task A_file_with_a_mistake_creates_no_key(string content, string sentence)
    {
        var file = _folder.File("keys.csv");
        await File.WriteAllTextAsync(file, content);

        var (code, output, error) = await Run("keys", "create", "--from", file);

        Assert.Equal((2, ""), (code, output));
        Assert.Contains(sentence.Replace("FILE", file, StringComparison.Ordinal), error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path));
    }

    [Fact]
    public async Task A_name_that_is_taken_keeps_a_whole_file_out()
    {
        await Run("keys", "create", "bo");
        var file = _folder.File("keys.csv");
        await File.WriteAllTextAsync(file, "name\nanna\nbo\n");

        await AssertFails("The key 'bo' exists already", "keys", "create", "--from", file);

        Assert.Equal(["bo"], KeyFile.Read(Path).Select(key => key.Name));
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private async Task AssertFails(string sentence, params string[] args)
    {
        var (code, output, error) = await Run(args);

        Assert.Equal((1, ""), (code, output));
        Assert.Contains(sentence, Assert.Single(Lines(error)), StringComparison.Ordinal);
    }

    private async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["Gateway:Keys:File"] = Path, ["Gateway:Keys:Configured:webui:Key"] = "x" })
            .Build();
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await KeysCommand.RunAsync(args, configuration, output, error, _time);
        return (code, output.ToString(), error.ToString());
    }
}
