using System.Text;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Tests.Keys;

public sealed class KeyFileTests : IDisposable
{
    private const string Valid = """
        {
          "version": 1,
          "keys": [
            {
              "id": "abcd1234",
              "name": "alice",
              "sha256": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
              "scopes": ["infer", "read"],
              "models": ["qwen*", "x"],
              "priority": "batch",
              "requestsPerMinute": 60,
              "tokensPerMinute": 100000,
              "concurrentRequests": 4,
              "endUsers": ["X-User", "body"],
              "endUserRequestsPerMinute": 20,
              "group": "sales",
              "note": "for Bo",
              "created": "2026-01-01T00:00:00Z",
              "expires": "2027-01-01"
            }
          ]
        }

        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_is_read_as_it_is_written()
    {
        var key = Assert.Single(Parse(Valid));

        Assert.Equal("abcd1234", key.Id);
        Assert.Equal("alice", key.Name);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (byte)i), key.Hash);
        Assert.Equal(Scope.Infer | Scope.Read, key.Scopes);
        Assert.Equal(["qwen*", "x"], key.Models.Patterns);
        Assert.Equal(Priority.Batch, key.Priority);
        Assert.Equal((60, 100_000, 4), (key.RequestsPerMinute, key.TokensPerMinute, key.ConcurrentRequests));
        Assert.Equal(["X-User", "body"], key.EndUsers!.Names);
        Assert.Equal((new Limits(RequestsPerMinute: 20), "sales", "for Bo"), (key.EndUserLimits, key.Group, key.Note));
        Assert.Equal(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), key.Created);
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), key.Expires);
    }

    [Fact]
    public void A_written_file_is_indented_and_reads_the_same()
    {
        var written = Encoding.UTF8.GetString(KeyFile.Format(Parse(Valid)));

        var lists = Valid.ReplaceLineEndings("\n")
            .Replace("""["infer", "read"]""", "[\n        \"infer\",\n        \"read\"\n      ]", StringComparison.Ordinal)
            .Replace("""["X-User", "body"]""", "[\n        \"X-User\",\n        \"body\"\n      ]", StringComparison.Ordinal)
            .Replace("""["qwen*", "x"]""", "[\n        \"qwen*\",\n        \"x\"\n      ]", StringComparison.Ordinal)
            .Replace("2027-01-01", "2027-01-01T00:00:00Z", StringComparison.Ordinal);
        Assert.Equal(lists, written);
    }

    [Fact]
    public void A_property_that_is_not_set_is_not_written()
    {
        var written = Encoding.UTF8.GetString(KeyFile.Format([TestKeys.Make().Key]));

        Assert.DoesNotContain("null", written, StringComparison.Ordinal);
        Assert.DoesNotContain("models", written, StringComparison.Ordinal);
        Assert.DoesNotContain("PerMinute", written, StringComparison.Ordinal);
        Assert.DoesNotContain("priority", written, StringComparison.Ordinal);
        Assert.DoesNotContain("expires", written, StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_order_mark_does_no_harm() =>
        Assert.Single(KeyFile.Parse([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(Valid)], "keys.json"));

    [Fact]
    public void A_file_that_is_not_there_holds_no_keys()
    {
        Assert.Empty(KeyFile.Read(_folder.File("keys.json")));
        Assert.Empty(KeyFile.Read(_folder.File("folder/keys.json")));
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_no_missing_file()
    {
        Directory.CreateDirectory(_folder.File("keys.json"));

        AssertSentence("cannot be read", () => KeyFile.Read(_folder.File("keys.json")));
    }

    [Theory]
    [InlineData("", "not valid JSON at line 1")]
    [InlineData("{", "not valid JSON at line 1")]
    [InlineData("{\n\n'", "not valid JSON at line 3")]
    [InlineData("null", "an object with 'version' and 'keys'")]
    [InlineData("[]", "at $, line 1, has the wrong type")]
    [InlineData("{}", "an object with 'version' and 'keys'")]
    [InlineData("""{"version":1}""", "an object with 'version' and 'keys'")]
    [InlineData("""{"keys":[]}""", "an object with 'version' and 'keys'")]
    [InlineData("""{"version":2,"keys":[]}""", "its 'version' is 2, and this gateway reads version 1")]
    [InlineData("""{"version":2}""", "its 'version' is 2, and this gateway reads version 1")]
    [InlineData("""{"version":"1","keys":[]}""", "at $.version, line 1, has the wrong type")]
    [InlineData("""{"version":1,"keys":{}}""", "at $.keys, line 1, has the wrong type")]
    [InlineData("""{"version":1,"keys":[null]}""", "key 1 is null")]
    [InlineData("""{"version":1,"keys":[],"keys":[]}""", "is repeated")]
    [InlineData("""{"version":1,"keys":[],"extra":1}""", "the file has the unknown member 'extra'; known are version, keys")]
    [InlineData("""{"version":1,"keys":[]} x""", "not valid JSON")]
    public void A_broken_file_is_reported_in_one_sentence(string content, string expected) => AssertSentence(expected, () => Parse(content));

    [Theory]
    [InlineData("\"name\": \"alice\"", "\"name\": \"a b\"", "the 'name' of key 1 must be 1 to 64 letters")]
    [InlineData("\"name\": \"alice\"", "\"name\": \"Anonymous\"", "the 'name' of key 1 must be 1 to 64 letters")]
    [InlineData("\"name\": \"alice\",", "", "the 'name' of key 1 must be 1 to 64 letters")]
    [InlineData("\"name\": \"alice\"", "\"Name\": \"alice\"", "the 'name' of key 1 must be 1 to 64 letters")]
    [InlineData("\"name\": \"alice\"", "\"name\": \"alice\", \"key\": \"hzm_secret\"", "key 1 ('alice') has the unknown member 'key'; known are id, name")]
    [InlineData("\"name\": \"alice\"", "\"name\": \"alice\", \"name\": \"bob\"", "is repeated")]
    [InlineData("abcd1234", "abcd123", "the 'id' of key 1 ('alice') must be 8 letters or digits")]
    [InlineData("1e1f\"", "1e\"", "the 'sha256' of key 1 ('alice') must be 64 hexadecimal digits")]
    [InlineData("1e1f\"", "1e1g\"", "the 'sha256' of key 1 ('alice') must be 64 hexadecimal digits")]
    [InlineData("\"batch\"", "\"urgent\"", "the 'priority' of key 1 ('alice') must be one of interactive, normal, batch")]
    [InlineData("\"read\"", "\"write\"", "the 'scopes' of key 1 ('alice') must be at least one of infer, read, admin")]
    [InlineData("\"infer\", \"read\"", "", "the 'scopes' of key 1 ('alice') must be at least one of infer, read, admin")]
    [InlineData("\"read\"", "null", "the 'scopes' of key 1 ('alice') must be at least one of infer, read, admin")]
    [InlineData("\"read\"", "3", "at $.keys[0].scopes[1], line 8, has the wrong type")]
    [InlineData("\"qwen*\"", "\"q w\"", "the 'models' of key 1 ('alice') hold 'q w'")]
    [InlineData("\"qwen*\"", "null", "the 'models' of key 1 ('alice') hold ''")]
    [InlineData(": 60", ": 0", "'requestsPerMinute' of key 1 ('alice') is 0, and must be at least 1 or absent")]
    [InlineData(": 60", ": 1.5", "at $.keys[0].requestsPerMinute, line 11, has the wrong type")]
    [InlineData("100000", "-1", "'tokensPerMinute' of key 1 ('alice') is -1")]
    [InlineData("100000", "99999999999", "at $.keys[0].tokensPerMinute")]
    [InlineData("\"concurrentRequests\": 4", "\"concurrentRequests\": \"4\"", "at $.keys[0].concurrentRequests")]
    [InlineData("\"X-User\"", "\"Cookie\"", "the 'endUsers' of key 1 ('alice') hold 'Cookie'; allowed: names of request headers")]
    [InlineData(": 20", ": 0", "'endUserRequestsPerMinute' of key 1 ('alice') is 0")]
    [InlineData("\"sales\"", "\" x\"", "the 'group' of key 1 ('alice') must be 1 to 64 characters")]
    [InlineData("\"for Bo\"", "\"\"", "the 'note' of key 1 ('alice') must be 1 to 200 characters")]
    [InlineData("2026-01-01T00:00:00Z", "yesterday", "'created' of key 1 ('alice') must be a date or time such as 2027-01-01")]
    [InlineData("2027-01-01", "2027-02-30", "'expires' of key 1 ('alice') must be a date or time such as 2027-01-01")]
    public void A_broken_key_is_reported_in_one_sentence(string right, string wrong, string expected)
    {
        Assert.Contains(right, Valid, StringComparison.Ordinal);

        AssertSentence(expected, () => Parse(Valid.Replace(right, wrong, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_public_key_of_Ollama_is_stored_once()
    {
        var publicKey = new OllamaKeyPair().PublicKey;
        var (alice, bob) = (TestKeys.Make("alice").Key with { OllamaPublicKey = publicKey }, TestKeys.Make("bob").Key);

        Assert.Equal([publicKey, null], Parse(Encoding.UTF8.GetString(KeyFile.Format([alice, bob]))).Select(key => key.OllamaPublicKey));
        AssertSentence(
            "the keys 'alice' and 'bob' have the same public key of Ollama", () => KeyFile.Parse(KeyFile.Format([alice, bob with { OllamaPublicKey = publicKey }]), "keys.json"));
        AssertSentence(
            "the 'ollamaPublicKey' of key 1 ('bob') must be a public key of the type ssh-ed25519", () => KeyFile.Parse(KeyFile.Format([bob with { OllamaPublicKey = "ssh-rsa AAAA" }]), "keys.json"));
    }

    [Fact]
    public void Two_keys_with_the_same_name_or_id_are_reported()
    {
        var (alice, _) = TestKeys.Make("alice");
        var (upper, _) = TestKeys.Make("ALICE");
        var (bob, _) = TestKeys.Make("bob");

        AssertSentence("two keys have the name 'ALICE'", () => KeyFile.Parse(KeyFile.Format([alice, upper]), "keys.json"));
        AssertSentence("the keys 'alice' and 'bob' have the same id", () => KeyFile.Parse(KeyFile.Format([alice, bob with { Id = alice.Id }]), "keys.json"));
    }

    private static IReadOnlyList<ApiKey> Parse(string content) => KeyFile.Parse(Encoding.UTF8.GetBytes(content), "keys.json");

    private static void AssertSentence(string expected, Func<object> read)
    {
        var problem = Assert.Throws<KeyFileException>(read);

        Assert.Contains("key file '", problem.Message, StringComparison.Ordinal);
        Assert.Contains("keys.json'", problem.Message, StringComparison.Ordinal);
        Assert.Contains(expected, problem.Message, StringComparison.Ordinal);
        Assert.EndsWith(".", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hzm_", problem.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("000102030405", problem.ToString(), StringComparison.Ordinal);
    }
}
