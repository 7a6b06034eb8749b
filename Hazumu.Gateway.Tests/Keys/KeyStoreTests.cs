using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Keys;

public sealed class KeyStoreTests : IDisposable
{
    private const string Plain = "a-plain-secret-of-a-machine-0001";

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(TestKeys.Now);
    private readonly KeptLog<KeyStore> _log = new();

    private string Path => _folder.File("keys.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_that_comes_later_is_read()
    {
        var store = Store();
        Assert.Empty(store.Current.Keys);

        var (key, text) = TestKeys.Make();
        TestKeys.Write(Path, key);
        store.Refresh();

        Assert.Equal("alice", store.Current.Find(text)?.Name);
    }

    [Fact]
    public void A_revoked_key_is_gone_and_the_others_stay()
    {
        var (alice, aliceText) = TestKeys.Make("alice");
        var (bob, bobText) = TestKeys.Make("bob");
        TestKeys.Write(Path, alice, bob);
        var store = Store();

        TestKeys.Write(Path, bob);
        store.Refresh();

        Assert.Null(store.Current.Find(aliceText));
        Assert.NotNull(store.Current.Find(bobText));
    }

    [Fact]
    public void A_rotated_key_is_the_same_and_its_former_secret_ends()
    {
        var (alice, old) = TestKeys.Make("alice");
        TestKeys.Write(Path, alice);
        var store = Store(options => options.Required = true);
        var before = store.Current.Find(old)!;
        var (text, hash) = KeyText.CreateSecret(alice.Id);

        TestKeys.Write(Path, alice with { Hash = hash, Former = [new(alice.Hash, TestKeys.Now.AddHours(1))] });
        store.Refresh();

        Assert.False(before.Revocation!.Token.IsCancellationRequested);
        Assert.Same(store.Current.Find(text), store.Current.Find(old, out var end));
        Assert.Equal(TestKeys.Now.AddHours(1), end);
        Assert.Null(store.Current.Find(TestKeys.WithOtherSecret(text)));

        // With no overlap it is another key.
        TestKeys.Write(Path, alice with { Hash = KeyText.CreateSecret(alice.Id).Hash });
        store.Refresh();
        Assert.Null(store.Current.Find(old));
        Assert.True(before.Revocation.Token.IsCancellationRequested);
    }

    [Fact]
    public async Task The_last_use_is_written_once_a_minute_has_begun_and_outlasts_the_store()
    {
        var (alice, text) = TestKeys.Make("alice");
        var (bob, _) = TestKeys.Make("bob");
        TestKeys.Write(Path, alice, bob);
        var store = Store();
        store.Current.Find(text)!.LastUse.Set(_time.GetUtcNow().AddSeconds(59));
        await store.SaveUsesAsync(default);
        Assert.Equal([(alice.Id, TestKeys.Now)], LastUseFile.Read(Path).Select(use => (use.Key, use.Value)));

        // Without a later use nothing is written.
        File.Delete(LastUseFile.Of(Path));
        store.Current.Find(text)!.LastUse.Set(_time.GetUtcNow().AddSeconds(59));
        await store.SaveUsesAsync(default);
        Assert.False(File.Exists(LastUseFile.Of(Path)));

        // Another gateway has seen a later one; that of a key that is gone is dropped.
        await LastUseFile.AddAsync(Path, new Dictionary<string, DateTimeOffset> { [alice.Id] = TestKeys.Now.AddHours(2), [bob.Id] = TestKeys.Now }, new HashSet<string> { alice.Id, bob.Id }, default);
        TestKeys.Write(Path, alice);
        store.Refresh();
        store.Current.Find(text)!.LastUse.Set(TestKeys.Now.AddHours(1));
        await store.SaveUsesAsync(default);
        Assert.Equal([(alice.Id, TestKeys.Now.AddHours(2))], LastUseFile.Read(Path).Select(use => (use.Key, use.Value)));
    }

    [Fact]
    public async Task Revocation_does_not_wait_for_the_last_uses_to_be_written()
    {
        var (alice, text) = TestKeys.Make("alice");
        TestKeys.Write(Path, alice);
        var store = Store();
        store.Current.Find(text)!.LastUse.Set(_time.GetUtcNow());
        await using var other = new FileStream(LastUseFile.Of(Path) + ".lock", FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        using var watcher = new KeyFileWatcher(store, _time);
        await watcher.StartAsync(default);

        // Longer than a minute, after which the uses are written.
        for (var second = 0; second < 62; second++)
        {
            TestKeys.Write(Path, alice with { TokensPerMinute = second + 1 });
            await Wait.UntilAsync(
                () =>
                {
                    // The watcher's timer may not be there yet.
                    _time.Advance(TimeSpan.FromSeconds(1));
                    Assert.Equal(second + 1, Assert.Single(store.Current.Keys).TokensPerMinute);
                },
                TimeSpan.FromSeconds(30));
        }

        await other.DisposeAsync();
        await watcher.StopAsync(default);
        Assert.Equal(alice.Id, Assert.Single(LastUseFile.Read(Path)).Key);
    }

    [Fact]
    public void A_change_that_size_and_time_do_not_show_is_seen()
    {
        var (alice, aliceText) = TestKeys.Make("alice");
        var (other, otherText) = TestKeys.Make("alice");
        TestKeys.Write(Path, alice);
        var written = File.GetLastWriteTimeUtc(Path);
        var store = Store();

        TestKeys.Write(Path, other);
        File.SetLastWriteTimeUtc(Path, written);
        store.Refresh();

        Assert.Null(store.Current.Find(aliceText));
        Assert.NotNull(store.Current.Find(otherText));
    }

    [Fact]
    public void A_file_behind_a_link_that_is_turned_is_seen()
    {
        // As Kubernetes changes a mounted secret.
        var (alice, _) = TestKeys.Make("alice");
        var (bob, bobText) = TestKeys.Make("bob");
        TestKeys.Write(_folder.File("one.json"), alice);
        TestKeys.Write(_folder.File("two.json"), bob);
        File.CreateSymbolicLink(Path, _folder.File("one.json"));
        var store = Store();

        File.CreateSymbolicLink(_folder.File("new"), _folder.File("two.json"));
        File.Move(_folder.File("new"), Path, overwrite: true);
        store.Refresh();

        Assert.NotNull(store.Current.Find(bobText));
    }

    [Fact]
    public void A_broken_file_leaves_the_keys_and_is_logged_once()
    {
        var (key, text) = TestKeys.Make();
        TestKeys.Write(Path, key);
        var store = Store();
        var before = store.Current;

        File.WriteAllText(Path, "{ broken");
        store.Refresh();
        store.Refresh();

        Assert.Same(before, store.Current);
        Assert.NotNull(store.Current.Find(text));
        Assert.Equal($"The key file '{Path}' is not valid JSON at line 1. The keys stay as they were.", Assert.Single(_log.Errors));

        File.WriteAllText(Path, """{"version":1,"keys":[],"more":1}""");
        store.Refresh();
        store.Refresh();
        Assert.Equal(2, _log.Errors.Count());

        TestKeys.Write(Path);
        store.Refresh();
        Assert.Null(store.Current.Find(text));
        Assert.Equal(2, _log.Errors.Count());
    }

    [Fact]
    public void An_unreadable_file_leaves_the_keys_and_is_logged_once()
    {
        var (key, text) = TestKeys.Make();
        TestKeys.Write(Path, key);
        var store = Store();

        File.Delete(Path);
        Directory.CreateDirectory(Path);
        store.Refresh();
        store.Refresh();

        Assert.NotNull(store.Current.Find(text));
        Assert.Single(_log.Errors);
    }

    [Fact]
    public void A_file_that_is_gone_holds_no_keys()
    {
        var (key, text) = TestKeys.Make();
        TestKeys.Write(Path, key);
        var store = Store();

        File.Delete(Path);
        store.Refresh();

        Assert.Null(store.Current.Find(text));
        Assert.Empty(_log.Errors);
    }

    [Fact]
    public void Nothing_is_read_again_where_nothing_has_changed()
    {
        TestKeys.Write(Path, TestKeys.Make().Key);
        var store = Store();
        var before = store.Current;

        File.SetLastWriteTimeUtc(Path, DateTime.UtcNow.AddMinutes(1));
        store.Refresh();

        Assert.Same(before, store.Current);
    }

    [Fact]
    public void A_broken_file_at_the_start_is_an_exception()
    {
        File.WriteAllText(Path, "{ broken");

        Assert.Throws<KeyFileException>(Store);
    }

    [Fact]
    public void Required_keys_without_any_are_warned_of()
    {
        Store(options => options.Required = true);

        Assert.Contains(_log.Lines, line => line.Level == LogLevel.Warning && line.Message.Contains("keys create", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_watcher_sees_a_change_within_a_second()
    {
        var (key, text) = TestKeys.Make();
        TestKeys.Write(Path, key);
        var store = Store();
        using var watcher = new KeyFileWatcher(store, _time);
        await watcher.StartAsync(CancellationToken.None);
        try
        {
            // The watcher starts its timer in its own time: the first look is waited for.
            TestKeys.Write(Path);
            Assert.True(SpinWait.SpinUntil(
                () =>
                {
                    _time.Advance(TimeSpan.FromSeconds(1));
                    return store.Current.Find(text) is null;
                },
                TimeSpan.FromSeconds(10)));

            foreach (var isThere in new[] { true, false, true })
            {
                TestKeys.Write(Path, isThere ? [key] : []);
                _time.Advance(TimeSpan.FromSeconds(1));
                Assert.True(SpinWait.SpinUntil(() => store.Current.Find(text) is not null == isThere, TimeSpan.FromSeconds(10)));
            }
        }
        finally
        {
            await watcher.StopAsync(CancellationToken.None);
        }
    }

    [Fact]
    public void A_configured_key_has_what_is_configured()
    {
        var store = Store(options => options.Configured["webui"] = new ConfiguredKey
        {
            Key = Plain,
            Scopes = "infer, admin",
            Models = "qwen*, x",
            RequestsPerMinute = 1,
            TokensPerMinute = 2,
            ConcurrentRequests = 3,
            Expires = "2027-01-01",
        });

        var key = store.Current.Find(Plain)!.Key!;
        Assert.Equal("webui", key.Name);
        Assert.Equal(Scope.Infer | Scope.Admin, key.Scopes);
        Assert.Equal(["qwen*", "x"], key.Models.Patterns);
        Assert.Equal((1, 2, 3), (key.RequestsPerMinute, key.TokensPerMinute, key.ConcurrentRequests));
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), key.Expires);
        Assert.Null(store.Current.Find(Plain + "x"));
        Assert.Null(store.Current.Find(Plain.AsSpan(0, Plain.Length - 1)));
    }

    [Fact]
    public void A_configured_key_may_have_the_form_of_ours()
    {
        var (text, id, _) = KeyText.Create();
        var store = Store(options => options.Configured["webui"] = new ConfiguredKey { Key = text });

        Assert.Equal(id, store.Current.Find(text)?.Key?.Id);
        Assert.Null(store.Current.Find(TestKeys.WithOtherSecret(text)));
    }

    [Fact]
    public void A_configured_key_in_a_file_follows_the_file()
    {
        var secret = _folder.File("secret");
        File.WriteAllText(secret, Plain + "\n");
        var store = Store(options => options.Configured["webui"] = new ConfiguredKey { KeyFile = secret });
        Assert.NotNull(store.Current.Find(Plain));

        var other = Plain.Replace('1', '2');
        File.WriteAllText(secret, other);
        store.Refresh();
        Assert.Null(store.Current.Find(Plain));
        Assert.NotNull(store.Current.Find(other));

        File.Delete(secret);
        store.Refresh();
        Assert.NotNull(store.Current.Find(other));
        Assert.Contains("'Gateway:Keys:Configured:webui:KeyFile' cannot be read", Assert.Single(_log.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_takes_a_configured_name_leaves_the_keys()
    {
        var store = Store(options => options.Configured["webui"] = new ConfiguredKey { Key = Plain });

        TestKeys.Write(Path, TestKeys.Make("WebUI").Key);
        store.Refresh();

        Assert.NotNull(store.Current.Find(Plain));
        Assert.Contains("two keys have the name 'webui'", Assert.Single(_log.Errors), StringComparison.OrdinalIgnoreCase);
    }

    public static TheoryData<string, string> WrongConfiguredKeys => new()
    {
        { "Key=", "'Gateway:Keys:Configured:webui:Key' and 'Gateway:Keys:Configured:webui:KeyFile' are not set; set one of them." },
        { $"Key={Plain}|KeyFile=/x", "are both set; set one of them." },
        { "Key=short-secret", "'Gateway:Keys:Configured:webui:Key' must hold 20 to 512 visible ASCII characters" },
        { "Key=a secret with spaces in it!", "must hold 20 to 512 visible ASCII characters" },
        { "Key=hzm_abcdefgh_cut", "begins with hzm_, but is not a whole key" },
        { "KeyFile=/no/such/file", "The file of 'Gateway:Keys:Configured:webui:KeyFile' cannot be read" },
        { $"Key={Plain}|Scopes=write", "'Gateway:Keys:Configured:webui:Scopes' is 'write'; allowed: one or more of infer, read, admin" },
        { $"Key={Plain}|Scopes=", "'Gateway:Keys:Configured:webui:Scopes' is ''" },
        { $"Key={Plain}|Models=a b", "'Gateway:Keys:Configured:webui:Models' is 'a b'" },
        { $"Key={Plain}|Expires=soon", "'Gateway:Keys:Configured:webui:Expires' is 'soon'" },
        { $"Key={Plain}|RequestsPerMinute=0", "'Gateway:Keys:Configured:webui:RequestsPerMinute' is '0'; allowed: 1 and more" },
    };

    [Theory]
    [MemberData(nameof(WrongConfiguredKeys))]
    public void A_wrong_configured_key_is_reported_in_one_sentence_without_the_key(string settings, string expected)
    {
        var values = settings.Split('|').Select(setting => setting.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        var configured = new ConfiguredKey
        {
            Key = values.GetValueOrDefault("Key"),
            KeyFile = values.GetValueOrDefault("KeyFile"),
            Scopes = values.GetValueOrDefault("Scopes", "infer"),
            Models = values.GetValueOrDefault("Models"),
            Expires = values.GetValueOrDefault("Expires"),
            RequestsPerMinute = values.TryGetValue("RequestsPerMinute", out var limit) ? int.Parse(limit, System.Globalization.CultureInfo.InvariantCulture) : null,
        };

        var problem = Assert.Throws<KeyFileException>(() => Store(options => options.Configured["webui"] = configured));

        Assert.Contains(expected, problem.Message, StringComparison.Ordinal);
        if (configured.Key is { Length: > 0 } key)
        {
            Assert.DoesNotContain(key, problem.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_wrong_configured_name_is_reported() =>
        Assert.Contains(
            "a key with the name 'a b'",
            Assert.Throws<KeyFileException>(() => Store(options => options.Configured["a b"] = new ConfiguredKey { Key = Plain })).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Other_options_are_taken_whole_or_not_at_all()
    {
        var store = Store(options => options.Configured["webui"] = new ConfiguredKey { Key = Plain });
        var before = store.Current;

        Assert.Throws<KeyFileException>(() => store.Prepare(new KeyOptions { File = Path, Required = true, Configured = { ["x"] = new() } }));
        Assert.Same(before, store.Current);

        store.Prepare(new KeyOptions { File = Path, Required = true })();
        Assert.True(store.Current.IsRequired);
        Assert.Null(store.Current.Find(Plain));
    }

    [Fact]
    public void A_revoked_key_is_reported_to_its_requests_and_the_others_are_left_alone()
    {
        var (alice, bob) = (TestKeys.Make("alice").Key, TestKeys.Make("bob").Key);
        TestKeys.Write(Path, alice, bob);
        var store = Store(options => options.Required = true);
        var (first, second) = (store.Current.Callers[0].Revocation!, store.Current.Callers[1].Revocation!);

        TestKeys.Write(Path, bob with { TokensPerMinute = 5 });
        store.Refresh();

        Assert.True(first.Token.IsCancellationRequested);
        Assert.False(first.LetsRunningFinish);
        Assert.False(second.Token.IsCancellationRequested);
        Assert.Same(second, Assert.Single(store.Current.Callers).Revocation);

        // A key of the same name is another key.
        TestKeys.Write(Path, TestKeys.Make("bob").Key);
        store.Refresh();
        Assert.True(second.Token.IsCancellationRequested);
    }

    [Fact]
    public void An_expired_key_is_reported_to_its_requests_and_works_again_with_a_later_date()
    {
        var (key, _) = TestKeys.Make();
        TestKeys.Write(Path, key with { Expires = TestKeys.Now.AddDays(1) });
        var store = Store(options => (options.Required, options.FinishRunning) = (true, true));
        var revocation = store.Current.Callers[0].Revocation!;
        _time.Advance(TimeSpan.FromDays(1) - TimeSpan.FromTicks(1));
        store.Refresh();
        Assert.False(revocation.Token.IsCancellationRequested);

        _time.Advance(TimeSpan.FromTicks(1));
        store.Refresh();
        Assert.True(revocation.Token.IsCancellationRequested);
        Assert.True(revocation.LetsRunningFinish);

        TestKeys.Write(Path, key with { Expires = TestKeys.Now.AddDays(9) });
        store.Refresh();
        Assert.False(store.Current.Callers[0].Revocation!.Token.IsCancellationRequested);
    }

    [Fact]
    public void A_key_that_is_not_required_is_not_reported_as_revoked()
    {
        TestKeys.Write(Path, TestKeys.Make().Key);
        var store = Store(options => options.Required = false);
        var revocation = store.Current.Callers[0].Revocation!;

        TestKeys.Write(Path);
        store.Refresh();

        Assert.False(revocation.Token.IsCancellationRequested);
    }

    [Fact]
    public void No_key_and_no_hash_gets_into_logs_texts_or_the_file()
    {
        var (key, text) = TestKeys.Make();
        TestKeys.Write(Path, key);
        var store = Store(options => options.Configured["webui"] = new ConfiguredKey { Key = Plain });
        var caller = store.Current.Find(text)!;
        var request = new Microsoft.AspNetCore.Http.DefaultHttpContext().Request;
        request.Headers.Authorization = $"Bearer {text}";
        var authentication = new Authenticator(store, _time).Authenticate(request);
        File.WriteAllText(Path, $"{{ \"version\": 1, \"keys\": [{{ \"{text}\": \"{text}\" }}] }}");
        store.Refresh();
        File.WriteAllText(Path, $"{{ \"version\": 1, \"keys\": [ {text} ] }}");
        store.Refresh();
        TestKeys.Write(Path, key);

        var told = string.Join(
            '\n',
            [
                .. _log.Lines.Select(line => line.Message),
                key.ToString(),
                caller.ToString(),
                authentication.ToString(),
                store.Current.ToString()!,
                store.Current.Find(Plain)!.ToString(),
                File.ReadAllText(Path),
            ]);

        Assert.Equal(2, _log.Errors.Count());
        Assert.DoesNotContain(text[13..], told, StringComparison.Ordinal);
        Assert.DoesNotContain(Plain, told, StringComparison.Ordinal);
        Assert.DoesNotContain("Byte[]", told, StringComparison.Ordinal);
    }

    private KeyStore Store() => Store(_ => { });

    private KeyStore Store(Action<KeyOptions> set)
    {
        var options = new KeyOptions { File = Path };
        set(options);
        return new KeyStore(options, _time, _log);
    }
}
