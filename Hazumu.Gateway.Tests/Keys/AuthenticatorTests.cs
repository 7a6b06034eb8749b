using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Operations;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.Time.Testing;

namespace Hazumu.Gateway.Tests.Keys;

public sealed class AuthenticatorTests : IDisposable
{
    private const string Plain = "a-plain-secret-of-a-machine-0001";

    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(TestKeys.Now);
    private readonly ApiKey _key;
    private readonly string _text;
    private readonly string _other;

    public AuthenticatorTests()
    {
        (_key, _text) = TestKeys.Make("alice");
        (var other, _other) = TestKeys.Make("bob");
        TestKeys.Write(_folder.File("keys.json"), _key with { Expires = TestKeys.Now.AddDays(1) }, other);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("Bearer ")]
    [InlineData("bearer ")]
    [InlineData("BEARER   ")]
    [InlineData("  Bearer ")]
    public void A_bearer_token_is_a_caller(string scheme)
    {
        foreach (var isRequired in new[] { true, false })
        {
            var authentication = Authenticate(isRequired, authorization: scheme + _text);

            Assert.Equal((Refusal.None, KeyHeaders.Authorization), (authentication.Refusal, authentication.Headers));
            Assert.Equal("alice", authentication.Caller.Name);
            Assert.Equal(_key.Id, authentication.Caller.Key?.Id);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Anthropics_header_is_a_caller(bool isRequired)
    {
        var authentication = Authenticate(isRequired, apiKey: _text);

        Assert.Equal(("alice", Refusal.None, KeyHeaders.ApiKey), (authentication.Caller.Name, authentication.Refusal, authentication.Headers));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_configured_key_of_another_form_is_a_caller(bool isRequired)
    {
        var authentication = Authenticate(isRequired, authorization: $"Bearer {Plain}");

        Assert.Equal(("webui", Refusal.None, KeyHeaders.Authorization), (authentication.Caller.Name, authentication.Refusal, authentication.Headers));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_same_key_in_both_headers_is_a_caller(bool isRequired)
    {
        var authentication = Authenticate(isRequired, $"Bearer {_text}", _text);

        Assert.Equal("alice", authentication.Caller.Name);
        Assert.Equal(KeyHeaders.Authorization | KeyHeaders.ApiKey, authentication.Headers);
    }

    [Fact]
    public void Without_any_key_one_is_missing_where_it_is_required_and_nobody_calls_where_it_is_not()
    {
        foreach (var (authorization, apiKey) in new[] { (null, null), ("", ""), ("Bearer", ""), ("Bearer ", " ") })
        {
            Assert.Equal(new(Caller.Refused, Refusal.Missing, KeyHeaders.None), Authenticate(true, authorization, apiKey));
            Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, authorization, apiKey));
        }
    }

    [Theory]
    [InlineData("Bearer ollama")]
    [InlineData("Bearer sk-0123456789012345678901234567890123456789")]
    [InlineData("Basic YWxpY2U6c2VjcmV0")]
    [InlineData("Digest x")]
    [InlineData("Bearerx")]
    [InlineData("Negotiate")]
    [InlineData("ssh-ed25519:signature")]
    public void Anything_else_is_refused_where_a_key_is_required_and_passed_on_where_none_is(string authorization)
    {
        Assert.Equal(new(Caller.Refused, Refusal.Unknown, KeyHeaders.None), Authenticate(true, authorization));
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, authorization));
        Assert.Equal(Refusal.Unknown, Authenticate(true, apiKey: authorization).Refusal);
    }

    [Fact]
    public void A_key_in_another_scheme_is_no_key()
    {
        Assert.Equal(Refusal.Unknown, Authenticate(true, $"Basic {_text}").Refusal);
        Assert.Equal(Refusal.Unknown, Authenticate(true, _text).Refusal);
        Assert.Equal(Refusal.Unknown, Authenticate(true, $"Bearer\t{_text}").Refusal);
        Assert.Equal(Refusal.Unknown, Authenticate(true, $"Bearer {_text}, Bearer {_other}").Refusal);
        Assert.Equal(Refusal.Unknown, Authenticate(true, $"Bearer {_text} x").Refusal);
    }

    [Fact]
    public void An_unknown_key_of_our_form_is_refused_and_never_passed_on()
    {
        foreach (var text in new[] { KeyText.Create().Text, TestKeys.WithOtherSecret(_text), "hzm_cut" })
        {
            Assert.Equal(new(Caller.Refused, Refusal.Unknown, KeyHeaders.Authorization), Authenticate(true, $"Bearer {text}"));
            Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.Authorization), Authenticate(false, $"Bearer {text}"));
            Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.ApiKey), Authenticate(false, apiKey: text));
        }
    }

    [Fact]
    public void A_key_expires_at_its_time()
    {
        _time.Advance(TimeSpan.FromDays(1) - TimeSpan.FromTicks(1));
        Assert.Equal(Refusal.None, Authenticate(true, $"Bearer {_text}").Refusal);

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(new(Caller.Refused, Refusal.Expired, KeyHeaders.Authorization), Authenticate(true, $"Bearer {_text}"));
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.Authorization), Authenticate(false, $"Bearer {_text}"));
        Assert.Equal(Refusal.Unknown, Authenticate(true, $"Bearer {TestKeys.WithOtherSecret(_text)}").Refusal);
    }

    [Fact]
    public void Two_different_keys_are_refused()
    {
        foreach (var isRequired in new[] { true, false })
        {
            Assert.Equal(
                new(Caller.Refused, Refusal.Ambiguous, KeyHeaders.Authorization | KeyHeaders.ApiKey), Authenticate(isRequired, $"Bearer {_text}", _other));
            Assert.Equal(new(Caller.Refused, Refusal.Ambiguous, KeyHeaders.Authorization), Authenticate(isRequired, $"Bearer {_text}", "ollama"));
            Assert.Equal(new(Caller.Refused, Refusal.Ambiguous, KeyHeaders.ApiKey), Authenticate(isRequired, "Bearer ollama", _text));
            Assert.Equal(new(Caller.Refused, Refusal.Ambiguous, KeyHeaders.ApiKey), Authenticate(isRequired, "Basic eA==", Plain));
        }
    }

    [Fact]
    public void Two_different_texts_that_are_no_keys_matter_only_where_a_key_is_required()
    {
        Assert.Equal(Refusal.Ambiguous, Authenticate(true, "Bearer a", "b").Refusal);
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, "Bearer a", "b"));
    }

    [Fact]
    public void A_header_that_is_there_twice_holds_no_key()
    {
        var authenticator = Authenticator(isRequired: true);
        var twice = new StringValues([$"Bearer {_text}", $"Bearer {_text}"]);

        Assert.Equal(Refusal.Unknown, authenticator.Authenticate(new HeaderDictionary { ["Authorization"] = twice }).Refusal);
        Assert.Equal(Refusal.Unknown, authenticator.Authenticate(new HeaderDictionary { ["x-api-key"] = new StringValues([_text, _text]) }).Refusal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(511)]
    [InlineData(513)]
    [InlineData(30_000)]
    public void Hostile_texts_are_no_keys(int length)
    {
        foreach (var character in "x \0é\u4e00~")
        {
            var text = KeyText.Prefix + new string(character, length);
            Assert.Equal(Refusal.Unknown, Authenticate(true, $"Bearer {text}").Refusal);
            Assert.Equal(Refusal.Unknown, Authenticate(true, apiKey: $"y{text}").Refusal);
        }
    }

    [Fact]
    public void Only_headers_that_hold_our_keys_are_taken_out()
    {
        var headers = new HeaderDictionary { ["Authorization"] = "Bearer other", ["x-api-key"] = _text, ["Accept"] = "x" };

        KeyHeaders.ApiKey.RemoveFrom(headers);
        Assert.Equal(["Accept", "Authorization"], headers.Keys.Order(StringComparer.Ordinal));

        (KeyHeaders.ApiKey | KeyHeaders.Authorization).RemoveFrom(headers);
        Assert.Equal(["Accept"], headers.Keys);
    }

    [Fact]
    public void A_revoked_key_is_refused_as_soon_as_the_store_knows()
    {
        var store = Store(isRequired: true);
        var authenticator = new Authenticator(store, _time);
        var headers = new HeaderDictionary { ["Authorization"] = $"Bearer {_text}" };
        Assert.Equal(Refusal.None, authenticator.Authenticate(headers).Refusal);

        TestKeys.Write(_folder.File("keys.json"));
        store.Refresh();

        Assert.Equal(Refusal.Unknown, authenticator.Authenticate(headers).Refusal);
    }

    [Fact]
    public void Telling_who_calls_allocates_nothing()
    {
        var authenticator = Authenticator(isRequired: true);
        HeaderDictionary[] requests =
        [
            new() { ["Authorization"] = $"Bearer {_text}" },
            new() { ["x-api-key"] = _text },
            new() { ["Authorization"] = $"Bearer {TestKeys.WithOtherSecret(_text)}" },
            new() { ["Authorization"] = $"Bearer {KeyText.Create().Text}" },
            new() { ["Authorization"] = "Bearer ollama" },
            new(),
        ];

        Assert.Equal(0, Allocations.Of(Run));

        void Run()
        {
            for (var i = 0; i < 1000; i++)
            {
                foreach (var headers in requests)
                {
                    _ = authenticator.Authenticate(headers);
                }
            }
        }
    }

    [Fact]
    public void Every_refusal_has_a_sentence()
    {
        foreach (var refusal in Enum.GetValues<Refusal>().Where(refusal => refusal != Refusal.None))
        {
            Assert.EndsWith(".", refusal.ToSentence(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("infer")]
    [InlineData("read")]
    [InlineData("admin")]
    public void A_scope_holds_no_other(string name)
    {
        Assert.True(ScopeNames.TryParse([name], out var scope));
        var caller = new Caller("alice", TestKeys.Make(scopes: scope).Key);

        foreach (var (_, _, operation) in OperationTable.Routes)
        {
            Assert.Equal(operation.Scope == scope || operation.Scope == Scope.None, caller.May(operation));
        }
    }

    [Fact]
    public void Nobody_may_do_all_where_no_key_is_needed_and_only_what_needs_none_where_refused()
    {
        foreach (var (_, _, operation) in OperationTable.Routes)
        {
            Assert.True(Caller.Anonymous.May(operation));
            Assert.Equal(operation.Scope == Scope.None, Caller.Refused.May(operation));
        }

        Assert.True(Caller.Anonymous.MayUse("x"));
        Assert.False(Caller.Refused.MayUse("x"));
    }

    [Fact]
    public void A_key_may_use_the_models_it_lists()
    {
        var caller = new Caller("alice", TestKeys.Make("alice", Scope.Infer, "qwen*").Key);

        Assert.True(caller.MayUse("registry.ollama.ai/library/Qwen3:8b"));
        Assert.False(caller.MayUse("llama3"));
    }

    private Authentication Authenticate(bool isRequired, string? authorization = null, string? apiKey = null)
    {
        var headers = new HeaderDictionary();
        if (authorization is not null)
        {
            headers["Authorization"] = authorization;
        }

        if (apiKey is not null)
        {
            headers["x-api-key"] = apiKey;
        }

        return Authenticator(isRequired).Authenticate(headers);
    }

    private Authenticator Authenticator(bool isRequired) => new(Store(isRequired), _time);

    private KeyStore Store(bool isRequired) => new(
        new KeyOptions { Required = isRequired, File = _folder.File("keys.json"), Configured = { ["webui"] = new ConfiguredKey { Key = Plain } } },
        _time,
        NullLogger<KeyStore>.Instance);
}
