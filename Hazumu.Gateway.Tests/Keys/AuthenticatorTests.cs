using System.Globalization;
using System.Text;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Operations;
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
    public void The_headers_of_Anthropic_and_Azure_are_a_caller(bool isRequired)
    {
        var anthropic = Authenticate(isRequired, apiKey: _text);
        var azure = Authenticate(isRequired, azureApiKey: _text);

        Assert.Equal(("alice", Refusal.None, KeyHeaders.ApiKey), (anthropic.Caller.Name, anthropic.Refusal, anthropic.Headers));
        Assert.Equal(("alice", Refusal.None, KeyHeaders.AzureApiKey), (azure.Caller.Name, azure.Refusal, azure.Headers));
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
    public void A_request_without_key_is_refused_if_keys_are_required_else_anonymous()
    {
        foreach (var (authorization, apiKey) in new[] { (null, null), ("", ""), ("Bearer", ""), ("Bearer ", " "), ("Basic", null) })
        {
            Assert.Equal(new(Caller.Refused, Refusal.Missing, KeyHeaders.None), Authenticate(true, authorization, apiKey));
            Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, authorization, apiKey));
        }
    }

    [Theory]
    [InlineData("Bearer ollama")]
    [InlineData("Bearer sk-0123456789012345678901234567890123456789")]
    [InlineData("Basic YWxpY2U6c2VjcmV0")]
    [InlineData("Bearerx")]
    [InlineData("Negotiate")]
    [InlineData("ssh-ed25519:signature")]
    public void A_foreign_credential_is_refused_if_a_key_is_required_and_forwarded_otherwise(string authorization)
    {
        Assert.Equal(new(Caller.Refused, Refusal.Unknown, KeyHeaders.Authorization), Authenticate(true, authorization));
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, authorization));
        Assert.Equal(Refusal.Unknown, Authenticate(true, apiKey: authorization).Refusal);
    }

    [Theory]
    [InlineData("Digest username=\"alice\"", "Digest")]
    [InlineData("Token abc", "Token")]
    [InlineData("AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256")]
    [InlineData("Basic !", "Basic")]
    public void An_unsupported_scheme_is_named(string authorization, string scheme)
    {
        var refused = Authenticate(true, authorization);

        Assert.Equal(new(Caller.Refused, Refusal.Scheme, KeyHeaders.Authorization, scheme), refused);
        Assert.Contains($"The scheme '{scheme}' of the Authorization header is not supported: send the key as 'Authorization: Bearer <key>'", refused.ToSentence(), StringComparison.Ordinal);
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, authorization));
    }

    [Fact]
    public void A_long_scheme_is_not_repeated()
    {
        var sentence = Authenticate(true, $"{new string('x', 30_000)} y").ToSentence();

        Assert.StartsWith("The scheme of the Authorization header is not supported", sentence, StringComparison.Ordinal);
        Assert.InRange(sentence.Length, 1, 300);
    }

    [Fact]
    public void A_key_in_an_unsupported_scheme_is_never_forwarded()
    {
        Assert.Equal(new(Caller.Refused, Refusal.Scheme, KeyHeaders.Authorization, "Token"), Authenticate(true, $"Token {_text}"));
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.Authorization), Authenticate(false, $"Token {_text}"));
    }

    [Theory]
    [InlineData("alice:{0}")]
    [InlineData(":{0}")]
    [InlineData("{0}:")]
    [InlineData("{0}")]
    [InlineData("hzm_someone:{0}")]
    [InlineData("\u00e9:{0}")]
    public void Basic_holds_the_key_as_the_password_or_without_one_as_the_user(string pair)
    {
        var encoded = Convert.ToBase64String(Encoding.UTF8.GetBytes(string.Format(CultureInfo.InvariantCulture, pair, _text)));
        foreach (var isRequired in new[] { true, false })
        {
            var authentication = Authenticate(isRequired, $"Basic {encoded}");

            Assert.Equal(("alice", Refusal.None, KeyHeaders.Authorization), (authentication.Caller.Name, authentication.Refusal, authentication.Headers));
        }
    }

    [Fact]
    public void A_key_without_a_scheme_is_a_caller()
    {
        Assert.Equal("alice", Authenticate(true, _text).Caller.Name);
        Assert.Equal("webui", Authenticate(true, Plain).Caller.Name);
        Assert.Equal("alice", Authenticate(true, $"Bearer\t{_text}").Caller.Name);
    }

    [Fact]
    public void Several_keys_in_one_header_are_no_key()
    {
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
        }
    }

    [Theory]
    [InlineData("Bearer {0}", "sk-ant-oat01-foreign", null)]
    [InlineData("Bearer sk-ant-oat01-foreign", "{0}", null)]
    [InlineData("Bearer sk-ant-oat01-foreign", null, "{0}")]
    [InlineData("Digest foreign", "{0}", null)]
    [InlineData("Basic !", "foreign", "{0}")]
    [InlineData("Bearer hzm_00000000_0000000000000000000000000000000000000000000", "{0}", null)]
    public void A_key_beside_a_foreign_credential_counts_and_neither_is_forwarded(string authorization, string? apiKey, string? azureApiKey)
    {
        foreach (var key in new[] { _text, Plain })
        {
            foreach (var isRequired in new[] { true, false })
            {
                var authentication = Authenticate(isRequired, With(authorization, key), With(apiKey, key), With(azureApiKey, key));

                var present = KeyHeaders.Authorization | (apiKey is null ? 0 : KeyHeaders.ApiKey) | (azureApiKey is null ? 0 : KeyHeaders.AzureApiKey);
                Assert.Equal((key == Plain ? "webui" : "alice", Refusal.None, present), (authentication.Caller.Name, authentication.Refusal, authentication.Headers));
            }
        }

        static string? With(string? pattern, string key) => pattern?.Replace("{0}", key, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_foreign_credentials_are_refused_only_if_a_key_is_required()
    {
        Assert.Equal(Refusal.Unknown, Authenticate(true, "Bearer a", "b").Refusal);
        Assert.Equal(new(Caller.Anonymous, Refusal.None, KeyHeaders.None), Authenticate(false, "Bearer a", "b"));
    }

    [Fact]
    public void A_valid_key_counts_beside_an_expired_one()
    {
        _time.Advance(TimeSpan.FromDays(1));

        Assert.Equal("bob", Authenticate(true, $"Bearer {_text}", _other).Caller.Name);
        Assert.Equal(Refusal.Expired, Authenticate(true, $"Bearer {_text}", "foreign").Refusal);
    }

    [Theory]
    [InlineData("Authorization", "Bearer ")]
    [InlineData("x-api-key", "")]
    [InlineData("api-key", "")]
    public void A_header_that_is_sent_twice_holds_both_values(string name, string scheme)
    {
        Assert.Equal("alice", Twice(_text, _text).Caller.Name);
        Assert.Equal("alice", Twice("foreign", _text).Caller.Name);
        Assert.Equal("alice", Twice(_text, "foreign").Caller.Name);
        Assert.Equal(Refusal.Ambiguous, Twice(_text, _other).Refusal);

        Authentication Twice(string first, string second) => Authenticator(isRequired: true).Authenticate(Request((name, new StringValues([scheme + first, scheme + second]))));
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

        headers["api-key"] = _text;
        (KeyHeaders.ApiKey | KeyHeaders.Authorization | KeyHeaders.AzureApiKey).RemoveFrom(headers);
        Assert.Equal(["Accept"], headers.Keys);
    }

    [Fact]
    public void A_revoked_key_is_refused_as_soon_as_the_store_knows()
    {
        var store = Store(isRequired: true);
        var authenticator = new Authenticator(store, _time);
        var request = Request(("Authorization", $"Bearer {_text}"));
        Assert.Equal(Refusal.None, authenticator.Authenticate(request).Refusal);

        TestKeys.Write(_folder.File("keys.json"));
        store.Refresh();

        Assert.Equal(Refusal.Unknown, authenticator.Authenticate(request).Refusal);
    }

    [Fact]
    public void Authenticating_a_caller_allocates_nothing()
    {
        var authenticator = Authenticator(isRequired: true);
        HttpRequest[] requests =
        [
            Request(("Authorization", $"Bearer {_text}")),
            Request(("Authorization", _text)),
            Request(("x-api-key", _text)),
            Request(("api-key", _text)),
            Request(("Authorization", $"Bearer {TestKeys.WithOtherSecret(_text)}")),
            Request(("Authorization", $"Bearer {KeyText.Create().Text}")),
            Request(("Authorization", "Bearer ollama"), ("x-api-key", _text)),
            Request(),
        ];

        Assert.Equal(0, Allocations.Of(Run));

        void Run()
        {
            for (var i = 0; i < 1000; i++)
            {
                foreach (var request in requests)
                {
                    _ = authenticator.Authenticate(request);
                }
            }
        }
    }

    [Fact]
    public void Every_refusal_has_a_sentence()
    {
        foreach (var refusal in Enum.GetValues<Refusal>().Where(refusal => refusal != Refusal.None))
        {
            Assert.EndsWith(".", new Authentication(Caller.Refused, refusal, KeyHeaders.None, "Digest").ToSentence(), StringComparison.Ordinal);
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
            Assert.Equal(operation.Scope == scope || operation.Scope == Scope.None, caller.May(operation.Scope));
        }
    }

    [Fact]
    public void Anonymous_callers_may_do_everything_and_refused_ones_only_open_routes()
    {
        foreach (var (_, _, operation) in OperationTable.Routes)
        {
            Assert.True(Caller.Anonymous.May(operation.Scope));
            Assert.Equal(operation.Scope == Scope.None, Caller.Refused.May(operation.Scope));
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

    private Authentication Authenticate(bool isRequired, string? authorization = null, string? apiKey = null, string? azureApiKey = null) =>
        Authenticator(isRequired).Authenticate(Request(("Authorization", authorization), ("x-api-key", apiKey), ("api-key", azureApiKey)));

    private static HttpRequest Request(params (string Name, StringValues Value)[] headers)
    {
        var request = new DefaultHttpContext().Request;
        foreach (var (name, value) in headers)
        {
            request.Headers[name] = value;
        }

        return request;
    }

    private Authenticator Authenticator(bool isRequired) => new(Store(isRequired), _time);

    private KeyStore Store(bool isRequired) => new(
        new KeyOptions { Required = isRequired, File = _folder.File("keys.json"), Configured = { ["webui"] = new ConfiguredKey { Key = Plain } } },
        _time,
        NullLogger<KeyStore>.Instance);
}
