using System.Security.Cryptography;
using System.Text;
using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Tests.Keys;

public class KeyTextTests
{
    [Fact]
    public void A_new_key_has_an_id_and_256_bits_and_is_stored_as_a_hash()
    {
        var (text, id, hash) = KeyText.Create();

        Assert.Matches("^hzm_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$", text);
        Assert.True(43 * Math.Log2(62) > 256);
        Assert.Equal(id, text.Substring(4, 8));
        Assert.Equal(SHA256.HashData(Encoding.ASCII.GetBytes(text[13..])), hash);
        Assert.True(KeyText.TryParse(text, out var parsedId, out var secret));
        Assert.Equal(id, new string(parsedId));
        Assert.Equal(text[13..], new string(secret));
    }

    [Fact]
    public void No_two_keys_are_the_same()
    {
        var keys = Enumerable.Range(0, 1000).Select(_ => KeyText.Create()).ToList();

        Assert.Equal(1000, keys.Select(key => key.Text[13..]).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(1000, keys.Select(key => key.Id).Distinct(StringComparer.Ordinal).Count());
    }

    [Theory]
    [InlineData("")]
    [InlineData("hzm_")]
    [InlineData("HZM_abcdefgh_0123456789012345678901234567890123456789012")]
    [InlineData("hzm_abcdefgh-0123456789012345678901234567890123456789012")]
    [InlineData("hzm_abcdefg__0123456789012345678901234567890123456789012")]
    [InlineData("hzm_abcdefgh_012345678901234567890123456789012345678901")]
    [InlineData("hzm_abcdefgh_01234567890123456789012345678901234567890123")]
    [InlineData("hzm_abcdefgh_012345678901234567890123456789012345678901é")]
    [InlineData("hzm_abcdefgh_01234567890123456789012345678901234567890 2")]
    public void Another_form_is_no_key(string text) => Assert.False(KeyText.TryParse(text, out _, out _));

    [Fact]
    public void A_set_finds_a_key_by_its_whole_text_only()
    {
        var (alice, text) = TestKeys.Make();
        var (bob, other) = TestKeys.Make("bob");
        var keys = new KeySet(isRequired: true, [alice, bob]);

        Assert.Equal("alice", keys.Find(text)?.Name);
        Assert.Equal("bob", keys.Find(other)?.Name);
        Assert.Null(keys.Find(TestKeys.WithOtherSecret(text)));
        Assert.Null(keys.Find(text[..13] + other[13..]));
        Assert.Null(keys.Find(text + "x"));
        Assert.Null(keys.Find(KeyText.Create().Text));
        Assert.Null(keys.Find(""));
    }

    [Fact]
    public void No_text_is_the_key_of_an_unknown_id()
    {
        var keys = new KeySet(isRequired: true, []);

        for (var i = 0; i < 1000; i++)
        {
            Assert.Null(keys.Find(KeyText.Create().Text));
        }
    }
}
