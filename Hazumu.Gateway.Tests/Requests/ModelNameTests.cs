using Hazumu.Gateway.Requests;

namespace Hazumu.Gateway.Tests.Requests;

public class ModelNameTests
{
    [Theory]
    [InlineData("llama3.2", "llama3.2:latest")]
    [InlineData("llama3.2:latest", "llama3.2:latest")]
    [InlineData("llama3.2:1b", "llama3.2:1b")]
    [InlineData(" llama3.2\n", "llama3.2:latest")]
    [InlineData("library/llama3.2", "llama3.2:latest")]
    [InlineData("Library/llama3.2:1b", "llama3.2:1b")]
    [InlineData("registry.ollama.ai/library/llama3.2", "llama3.2:latest")]
    [InlineData("REGISTRY.ollama.ai/library/llama3.2:1b", "llama3.2:1b")]
    [InlineData("https://registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b")]
    [InlineData("registry.ollama.ai/someone/llama3.2", "someone/llama3.2:latest")]
    [InlineData("someone/llama3.2", "someone/llama3.2:latest")]
    [InlineData("hf.co/someone/Model-GGUF:Q4_K_M", "hf.co/someone/Model-GGUF:Q4_K_M")]
    [InlineData("hf.co/library/model", "hf.co/library/model:latest")]
    [InlineData("registry.example:5000/someone/model", "registry.example:5000/someone/model:latest")]
    [InlineData("registry.ollama.ai/llama3.2", "registry.ollama.ai/llama3.2:latest")]
    [InlineData("llama3.2:local", "llama3.2:latest")]
    [InlineData("llama3.2:1b:LOCAL", "llama3.2:1b")]
    [InlineData("library/library", "library:latest")]
    [InlineData("librarymodel", "librarymodel:latest")]
    [InlineData("gpt-oss:120b-cloud", "gpt-oss:120b-cloud")]
    [InlineData("LLaMA3.2:1B", "LLaMA3.2:1B")]
    [InlineData("", "")]
    [InlineData("  ", "  ")]
    [InlineData(":", ":")]
    [InlineData("llama3.2:", "llama3.2:")]
    [InlineData("library/", "library/")]
    [InlineData("http://x", "http://x:latest")]
    public void Has_the_form_in_which_Ollama_lists_it(string name, string expected) => Assert.Equal(expected, ModelName.Normalize(name));

    [Theory]
    [InlineData("llama3.2:latest")]
    [InlineData("hf.co/someone/Model-GGUF:Q4_K_M")]
    public void Is_the_same_string_where_it_has_that_form(string name)
    {
        Assert.Same(name, ModelName.Normalize(name));

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            ModelName.Normalize(name);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Is_known_in_any_case() => Assert.Equal("LLaMA3.2:1B", "llama3.2:1b", ModelName.Comparer);

    [Theory]
    [InlineData("gpt-oss:120b-cloud", true)]
    [InlineData("gpt-oss:120B-Cloud", true)]
    [InlineData("glm-4.6:cloud", true)]
    [InlineData("glm-4.6: cloud ", true)]
    [InlineData("someone/model:cloud", true)]
    [InlineData("gpt-oss:120b", false)]
    [InlineData("cloud", false)]
    [InlineData("gpt-cloud", false)]
    [InlineData("cloud:latest", false)]
    [InlineData("host:5000/ns/x-cloud", false)]
    [InlineData("", false)]
    public void Tells_where_it_runs(string name, bool expected) => Assert.Equal(expected, ModelName.IsCloud(name));
}
