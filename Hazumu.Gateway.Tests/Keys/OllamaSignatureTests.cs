using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace Hazumu.Gateway.Tests.Keys;

public sealed class OllamaSignatureTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(TestKeys.Now);
    private readonly OllamaKeyPair _ollama = new();
    private readonly string _text;
    private readonly Authenticator _authenticator;

    public OllamaSignatureTests()
    {
        (var key, _text) = TestKeys.Make("alice");
        TestKeys.Write(_folder.File("keys.json"), key with { OllamaPublicKey = _ollama.PublicKey, Expires = TestKeys.Now.AddDays(1) });
        _authenticator = new(new KeyStore(new KeyOptions { Required = true, File = _folder.File("keys.json") }, _time, NullLogger<KeyStore>.Instance), _time);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("POST", "/api/chat")]
    [InlineData("GET", "/api/tags")]
    [InlineData("DELETE", "/api/delete")]
    [InlineData("HEAD", "/api/blobs/sha256:0123456789abcdef")]
    public void A_signed_request_is_a_caller(string method, string path)
    {
        var authentication = Authenticate(method, path);

        Assert.Equal(("alice", Refusal.None, KeyHeaders.Authorization), (authentication.Caller.Name, authentication.Refusal, authentication.Headers));
    }

    [Theory]
    [InlineData(-60, true)]
    [InlineData(60, true)]
    [InlineData(-61, false)]
    [InlineData(61, false)]
    [InlineData(86_400, false)]
    public void A_signature_holds_for_a_minute(int seconds, bool holds)
    {
        var authentication = Authenticate("POST", "/api/chat", TestKeys.Now.AddSeconds(seconds));

        Assert.Equal(holds ? Refusal.None : Refusal.Clock, authentication.Refusal);
        if (!holds)
        {
            Assert.Contains($"signed {Math.Abs(seconds)} s away", authentication.ToSentence(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_signature_holds_for_its_request_only()
    {
        var signature = _ollama.Sign("POST", "/api/chat", TestKeys.Now);
        var ts = TestKeys.Now.ToUnixTimeSeconds();

        Assert.Equal(Refusal.None, Authenticate(signature, "POST", "/api/chat", $"?ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "POST", "/api/generate", $"?ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "DELETE", "/api/chat", $"?ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "POST", "/api/chat", $"?ts={ts + 1}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "POST", "/api/chat", ""));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "POST", "/api/chat", $"?ts=-{ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "POST", "/api/chat", $"?ts={ts}&ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature, "POST", "/api/chat", $"?ts={new string('9', 400)}"));

        Assert.Equal(Refusal.Signature, Authenticate(signature[..^4] + (signature.EndsWith("A===", StringComparison.Ordinal) ? "B" : "A") + "A==", "POST", "/api/chat", $"?ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(signature + "AAAA", "POST", "/api/chat", $"?ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(_ollama.PublicKey + ":", "POST", "/api/chat", $"?ts={ts}"));
        Assert.Equal(Refusal.Signature, Authenticate(_ollama.PublicKey + ":!", "POST", "/api/chat", $"?ts={ts}"));
        Assert.Equal(Refusal.Unknown, Authenticate(_ollama.PublicKey, "POST", "/api/chat", $"?ts={ts}"));
    }

    [Fact]
    public void A_signature_by_another_key_is_refused()
    {
        var stranger = new OllamaKeyPair(1);
        var signature = stranger.Sign("POST", "/api/chat", TestKeys.Now);
        var query = $"?ts={TestKeys.Now.ToUnixTimeSeconds()}";

        Assert.Equal(Refusal.PublicKey, Authenticate(signature, "POST", "/api/chat", query));
        Assert.Equal(Refusal.Signature, Authenticate(_ollama.PublicKey + signature[68..], "POST", "/api/chat", query));
    }

    [Fact]
    public void A_key_that_has_expired_is_refused_with_its_signature_too()
    {
        _time.Advance(TimeSpan.FromDays(1));

        Assert.Equal(Refusal.Expired, Authenticate("POST", "/api/chat", TestKeys.Now.AddDays(1)).Refusal);
    }

    [Fact]
    public void The_same_owner_may_send_the_key_beside_the_signature()
    {
        var request = Request(_ollama.Sign("GET", "/api/tags", TestKeys.Now), "GET", "/api/tags", $"?ts={TestKeys.Now.ToUnixTimeSeconds()}");
        request.Headers["x-api-key"] = _text;

        Assert.Equal(("alice", Refusal.None), (_authenticator.Authenticate(request).Caller.Name, _authenticator.Authenticate(request).Refusal));
    }

    [Theory]
    [InlineData("ssh-ed25519 {0} alice@laptop\n")]
    [InlineData("ssh-ed25519 {0}")]
    [InlineData("ssh-ed25519   {0}\r\n")]
    [InlineData(" {0} ")]
    public void A_public_key_is_read_as_OpenSSH_writes_it(string text) =>
        Assert.Equal(_ollama.PublicKey, OllamaSignature.ReadPublicKey(string.Format(CultureInfo.InvariantCulture, text, _ollama.PublicKey)));

    [Theory]
    [InlineData("")]
    [InlineData("ssh-ed25519")]
    [InlineData("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ")]
    [InlineData("AAAAC3NzaC1lZDI1NTE5AAAAI")]
    [InlineData("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----")]
    public void Anything_else_is_no_public_key(string text) => Assert.Null(OllamaSignature.ReadPublicKey(text));

    private Authentication Authenticate(string method, string path, DateTimeOffset? time = null) =>
        _authenticator.Authenticate(Request(_ollama.Sign(method, path, time ?? TestKeys.Now), method, path, $"?ts={(time ?? TestKeys.Now).ToUnixTimeSeconds()}"));

    private Refusal Authenticate(string authorization, string method, string path, string query) =>
        _authenticator.Authenticate(Request(authorization, method, path, query)).Refusal;

    private static HttpRequest Request(string authorization, string method, string path, string query)
    {
        var request = new DefaultHttpContext().Request;
        (request.Method, request.Path, request.QueryString, request.Headers.Authorization) = (method, path, new(query), authorization);
        return request;
    }
}

/// <summary>Signs as Ollama's client does: <c>getAuthorizationToken</c> in api/client.go, <c>Sign</c> in auth/auth.go of 0.32.15.</summary>
internal sealed class OllamaKeyPair
{
    private readonly byte[] _privateKey = new byte[Ed25519.SecretKeySize];

    public OllamaKeyPair(byte seed = 0)
    {
        _privateKey.AsSpan().Fill(seed);
        var publicKey = new byte[Ed25519.PublicKeySize];
        Ed25519.GeneratePublicKey(_privateKey, 0, publicKey, 0);

        var blob = new byte[51];
        BinaryPrimitives.WriteInt32BigEndian(blob, 11);
        "ssh-ed25519"u8.CopyTo(blob.AsSpan(4));
        BinaryPrimitives.WriteInt32BigEndian(blob.AsSpan(15), publicKey.Length);
        publicKey.CopyTo(blob, 19);
        PublicKey = Convert.ToBase64String(blob);
    }

    /// <summary>The public key, in Base64.</summary>
    public string PublicKey { get; }

    /// <summary>The private key as a file of PKCS #8.</summary>
    public string PrivateKey => new(PemEncoding.Write("PRIVATE KEY", [.. Convert.FromHexString("302e020100300506032b657004220420"), .. _privateKey]));

    /// <summary>The header <c>Authorization</c> of a request whose query is <c>ts=TIME</c>.</summary>
    public string Sign(string method, string path, DateTimeOffset time)
    {
        var challenge = Encoding.UTF8.GetBytes($"{method},{path}?ts={time.ToUnixTimeSeconds()}");
        var signature = new byte[Ed25519.SignatureSize];
        Ed25519.Sign(_privateKey, 0, challenge, 0, challenge.Length, signature, 0);
        return $"{PublicKey}:{Convert.ToBase64String(signature)}";
    }
}
