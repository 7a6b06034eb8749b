using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Tests.Keys;

public class ModelListTests
{
    [Theory]
    [InlineData("x", "x")]
    [InlineData("x", "X:latest")]
    [InlineData("x:latest", "registry.ollama.ai/library/x")]
    [InlineData("registry.ollama.ai/library/X", "x")]
    [InlineData("x:local", "x")]
    [InlineData("x:8b-cloud", "x:8b:cloud")]
    [InlineData("qwen*", "qwen")]
    [InlineData("qwen*", "qwen3")]
    [InlineData("qwen*", "Qwen3:8b")]
    [InlineData("QWEN*", "library/qwen3:8b")]
    [InlineData("qwen3:*", "qwen3:8b")]
    [InlineData("*-coder", "qwen-coder:8b")]
    [InlineData("*:8b", "qwen3:8b")]
    [InlineData("me/*", "me/x:8b")]
    [InlineData("hf.co/*/*", "hf.co/me/x:q4")]
    [InlineData("library/*", "x:8b")]
    [InlineData("*", "hf.co/me/x")]
    public void A_name_or_pattern_allows_what_it_means(string pattern, string model) => Assert.True(Parse(pattern).Allows(model));

    [Theory]
    [InlineData("x", "x:8b")]
    [InlineData("x", "xy")]
    [InlineData("x", "me/x")]
    [InlineData("x", "hf.co/library/x")]
    [InlineData("x", "x:cloud")]
    [InlineData("x:8b", "x:8b-cloud")]
    [InlineData("qwen*", "me/qwen3")]
    [InlineData("qwen*", "qwen.example.com/library/secret")]
    [InlineData("qwen*", "qwen/secret")]
    [InlineData("qwen*", "qwen3:8b/../secret")]
    [InlineData("qwen*", "xqwen")]
    [InlineData("qwen3:*", "qwen3x:8b")]
    [InlineData("hf.co/*/*", "hf.com/me/x")]
    [InlineData("me/*", "x")]
    [InlineData("library/*", "me/x")]
    [InlineData("qwen*", "")]
    [InlineData("qwen*", "qwen3:8b:cloud:local")]
    [InlineData("qwen*", "qwen3\0")]
    public void A_name_or_pattern_allows_nothing_else(string pattern, string model) => Assert.False(Parse(pattern).Allows(model));

    [Fact]
    public void Every_entry_counts()
    {
        var list = Parse("x", "qwen*");

        Assert.True(list.Allows("x"));
        Assert.True(list.Allows("qwen3"));
        Assert.False(list.Allows("y"));
        Assert.Equal("x,qwen*", list.ToString());
    }

    [Fact]
    public void No_entry_and_a_lone_star_allow_every_model()
    {
        Assert.True(Parse().IsAll);
        Assert.True(Parse("x", "*").IsAll);
        Assert.True(Parse("*").Allows("no name at all"));
        Assert.Equal("*", Parse().ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("x y")]
    [InlineData("x?")]
    [InlineData("a/b/c/*")]
    [InlineData("x:")]
    public void A_malformed_pattern_is_reported(string pattern)
    {
        Assert.False(ModelList.TryParse(["x", pattern], out _, out var wrong));
        Assert.Equal(pattern, wrong);
    }

    [Fact]
    public void A_hostile_name_takes_no_long_time()
    {
        var list = Parse("*a*a*a*a*a*a*a*a*a*b");
        var name = new string('a', 80);

        for (var i = 0; i < 100; i++)
        {
            Assert.False(list.Allows(name));
        }
    }

    private static ModelList Parse(params string[] patterns)
    {
        Assert.True(ModelList.TryParse(patterns, out var list, out _));
        return list;
    }
}
