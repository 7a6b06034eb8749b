using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hazumu.Gateway.Tests.Keys;

/// <summary>An issuer of tokens: a server with a discovery document and its public keys. It signs by the framework alone, without the library under test.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    private static readonly string[] s_algorithms = ["RS256", "ES256"];

    private readonly List<(string Id, AsymmetricAlgorithm Key)> _keys = [];
    private readonly WebApplication _app;
    private int _fetches;

    private TestIssuer(WebApplication app) => _app = app;

    /// <summary>What it calls itself.</summary>
    public string Address { get; private set; } = "";

    /// <summary>What the discovery document names as the issuer, if not the address.</summary>
    public string? CallsItself { get; set; }

    /// <summary>Where the keys are, if not here.</summary>
    public string? KeysAddress { get; set; }

    /// <summary>Whether it answers with 503.</summary>
    public bool IsDown { get; set; }

    /// <summary>How often its keys were fetched.</summary>
    public int Fetches => Volatile.Read(ref _fetches);

    /// <summary>The id of its newest key.</summary>
    public string KeyId => _keys[^1].Id;

    /// <summary>Starts one with an RSA key.</summary>
    public static async Task<TestIssuer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var issuer = new TestIssuer(app);
        app.Use(next => context =>
        {
            context.Response.StatusCode = issuer.IsDown ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
            return issuer.IsDown ? Task.CompletedTask : next(context);
        });
        app.MapGet("/realm/.well-known/openid-configuration", () => Results.Json(new
        {
            issuer = issuer.CallsItself ?? issuer.Address,
            jwks_uri = issuer.KeysAddress ?? $"{issuer.Address}/keys",
            id_token_signing_alg_values_supported = s_algorithms,
        }));
        app.MapGet("/realm/keys", issuer.Publish);
        issuer.Rotate();
        await app.StartAsync();
        issuer.Address = $"{app.Urls.First()}/realm";
        return issuer;
    }

    /// <summary>Signs with another key from now on.</summary>
    public void Rotate(bool isEc = false, bool keepsOld = true)
    {
        if (!keepsOld)
        {
            _keys.Clear();
        }

        _keys.Add(($"key-{Guid.NewGuid():N}", isEc ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : RSA.Create(2048)));
    }

    /// <summary>A token.</summary>
    /// <param name="now">The time at which it is issued, for an hour.</param>
    /// <param name="claims">Further claims, or others; one of null is left out.</param>
    /// <param name="header">Further members of the header, or others; one of null is left out.</param>
    public string Issue(DateTimeOffset now, object? claims = null, object? header = null)
    {
        var (id, key) = _keys[^1];
        var signed = Parts(now, key is RSA ? "RS256" : "ES256", id, claims, header);
        var bytes = Encoding.ASCII.GetBytes(signed);
        var signature = key is RSA rsa
            ? rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : ((ECDsa)key).SignData(bytes, HashAlgorithmName.SHA256);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    /// <summary>A token without a signature.</summary>
    public string IssueUnsigned(DateTimeOffset now) => $"{Parts(now, "none", _keys[^1].Id, null, null)}.";

    /// <summary>A token whose secret is the public key, in each of the forms that libraries have been fooled by.</summary>
    public IEnumerable<string> ForgeSymmetric(DateTimeOffset now)
    {
        var rsa = (RSA)_keys[^1].Key;
        foreach (var secret in (byte[][])[Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem()), rsa.ExportSubjectPublicKeyInfo(), rsa.ExportParameters(false).Modulus!])
        {
            var signed = Parts(now, "HS256", _keys[^1].Id, null, null);
            yield return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(signed)))}";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _keys.ForEach(key => key.Key.Dispose());
    }

    private string Parts(DateTimeOffset now, string algorithm, string id, object? claims, object? header)
    {
        var payload = new JsonObject
        {
            ["iss"] = Address, ["aud"] = "hazumu", ["sub"] = "subject-1", ["iat"] = now.ToUnixTimeSeconds(), ["nbf"] = now.ToUnixTimeSeconds(), ["exp"] = now.AddHours(1).ToUnixTimeSeconds(),
        };
        return $"{Part(new() { ["alg"] = algorithm, ["kid"] = id, ["typ"] = "JWT" }, header)}.{Part(payload, claims)}";

        static string Part(JsonObject members, object? others)
        {
            foreach (var (name, value) in JsonSerializer.SerializeToNode(others ?? new { })!.AsObject().ToList())
            {
                members[name] = value?.DeepClone();
                if (value is null)
                {
                    members.Remove(name);
                }
            }

            return Base64Url.EncodeToString(Encoding.UTF8.GetBytes(members.ToJsonString()));
        }
    }

    private IResult Publish()
    {
        Interlocked.Increment(ref _fetches);
        return Results.Json(new { keys = _keys.Select(key => PublicOf(key.Id, key.Key)) });
    }

    private static object PublicOf(string id, AsymmetricAlgorithm key)
    {
        if (key is RSA rsa)
        {
            var parameters = rsa.ExportParameters(includePrivateParameters: false);
            return new { kty = "RSA", use = "sig", kid = id, n = Base64Url.EncodeToString(parameters.Modulus), e = Base64Url.EncodeToString(parameters.Exponent) };
        }

        var point = ((ECDsa)key).ExportParameters(includePrivateParameters: false).Q;
        return new { kty = "EC", use = "sig", kid = id, crv = "P-256", x = Base64Url.EncodeToString(point.X), y = Base64Url.EncodeToString(point.Y) };
    }
}
