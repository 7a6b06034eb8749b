using Hazumu.Gateway.Keys;

namespace Hazumu.Gateway.Tests.Keys;

public class ModelNameTests
{
    [Theory]
    [InlineData("x", "x:latest")]
    [InlineData("x:latest", "x:latest")]
    [InlineData("X:Latest", "x:latest")]
    [InlineData("library/x", "x:latest")]
    [InlineData("registry.ollama.ai/library/x", "x:latest")]
    [InlineData("Registry.Ollama.AI/Library/X:LATEST", "x:latest")]
    [InlineData("https://registry.ollama.ai/library/x", "x:latest")]
    [InlineData("http://registry.ollama.ai/library/x", "x:latest")]
    [InlineData("https:///library/x", "x:latest")]
    [InlineData(" \tx\n", "x:latest")]
    [InlineData("x:local", "x:latest")]
    [InlineData("x:8b:local", "x:8b")]
    [InlineData("x:8b", "x:8b")]
    [InlineData("me/x", "me/x:latest")]
    [InlineData("registry.ollama.ai/me/x:8b", "me/x:8b")]
    [InlineData("hf.co/me/x:Q4_K_M", "hf.co/me/x:q4_k_m")]
    [InlineData("hf.co/library/x", "hf.co/library/x:latest")]
    [InlineData("host:5000/me/x", "host:5000/me/x:latest")]
    [InlineData("x:cloud", "x:cloud")]
    [InlineData("x:8b-cloud", "x:8b-cloud")]
    [InlineData("x:8b:cloud", "x:8b-cloud")]
    [InlineData("x:8b:CLOUD", "x:8b-cloud")]
    [InlineData("x: cloud", "x:cloud")]
    [InlineData("_x.y-z", "_x.y-z:latest")]
    public void Spellings_of_one_model_have_one_form(string name, string normal) =>
        Assert.Equal(normal, ModelName.Normalise(name));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(":8b")]
    [InlineData("x:")]
    [InlineData("/x")]
    [InlineData("x/")]
    [InlineData("/me/x")]
    [InlineData("a/b/c/d")]
    [InlineData("-x")]
    [InlineData(".x")]
    [InlineData("a.b/x")]
    [InlineData("x y")]
    [InlineData("x@sha256:00")]
    [InlineData("x%3a8b")]
    [InlineData("x\\y")]
    [InlineData("../x")]
    [InlineData("x:y/../z")]
    [InlineData("x*")]
    [InlineData("ſ")]
    [InlineData("\u212a")]
    [InlineData("x:cloud:local")]
    [InlineData("x:local:cloud")]
    [InlineData("x:8b-cloud:cloud")]
    [InlineData("x\0")]
    public void A_name_that_Ollama_rejects_is_no_model_name(string name) => Assert.Null(ModelName.Normalise(name));

    [Fact]
    public void The_longest_name_fits_and_a_longer_one_is_none()
    {
        var part = new string('x', 80);
        var longest = $"{new string('h', 350)}/{part}/{part}:{part}:cloud";

        Assert.Equal(longest[..^6] + "-cloud", ModelName.Normalise(longest));
        Assert.Null(ModelName.Normalise($"h{longest}"));
        Assert.Null(ModelName.Normalise($"x{part}"));
        Assert.Null(ModelName.Normalise(new string('/', 100_000)));
    }

    [Theory]
    [InlineData("gpt-oss:cloud")]
    [InlineData("gpt-oss:120b-cloud")]
    [InlineData("gpt-oss:120b:cloud")]
    [InlineData("GPT-OSS:120B-Cloud")]
    [InlineData(" gpt-oss: cloud ")]
    [InlineData("gpt-oss:120b-cloud\n")]
    [InlineData("registry.ollama.ai/library/gpt-oss:cloud")]
    [InlineData("me/gpt-oss:cloud")]
    [InlineData("gpt-oss:cloud:local")]
    [InlineData("gpt-oss:120b-cloud:local")]
    public void A_cloud_tag_is_seen(string name) => Assert.True(CloudModels.IsCloud(name));

    [Theory]
    [InlineData("")]
    [InlineData("cloud")]
    [InlineData("my-cloud")]
    [InlineData("my-cloud:8b")]
    [InlineData("cloud/x")]
    [InlineData("x:cloudy")]
    [InlineData("x:local")]
    [InlineData("x:xcloud")]
    [InlineData("host:5000-cloud/me/x")]
    public void Other_names_with_cloud_in_them_are_not_meant(string name) => Assert.False(CloudModels.IsCloud(name));
}
