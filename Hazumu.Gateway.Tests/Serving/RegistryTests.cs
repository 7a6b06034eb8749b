using Hazumu.Gateway.Keys;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Serving;

/// <summary>Where models may come from and go to.</summary>
public sealed class RegistryTests : IAsyncLifetime
{
    private MockEngine _engine = null!;

    public async ValueTask InitializeAsync() => _engine = await MockEngine.StartAsync();

    public async ValueTask DisposeAsync() => await _engine.DisposeAsync();

    [Theory]
    [InlineData("/api/pull", """{"model":"evil.example/a/b"}""", "'model' names the registry 'evil.example'")]
    [InlineData("/api/pull", """{"name":"http://10.0.0.1:9200/a/b"}""", "'name' names the registry '10.0.0.1:9200'")]
    [InlineData("/api/pull", """{"model":"mock","MODEL":"evil.example/a/b:latest"}""", "is given twice")]
    [InlineData("/api/push", """{"model":"evil.example/a/b:8b"}""", "'model' names the registry 'evil.example'")]
    [InlineData("/api/create", """{"model":"mine","from":"evil.example/a/b"}""", "'from' names the registry 'evil.example'")]
    [InlineData("/api/create", """{"model":"mine","from":"mock","FROM":"https://evil.example/a/b"}""", "'from' names the registry 'evil.example'")]
    [InlineData("/api/pull", """{"model":"mock","insecure":true}""", "'insecure' is for registries without TLS")]
    [InlineData("/api/pull", """{"model":"mock","in\u017fecure":true}""", "'insecure' is for registries without TLS")]
    [InlineData("/api/pull", """{"model":"mock","insecure":true,"insecure":false}""", "'insecure' is for registries without TLS")]
    public async Task Other_registries_and_insecure_transfers_are_refused(string path, string body, string sentence)
    {
        await using var gateway = await TestGateway.StartAsync([("one", _engine.Address)]);

        var answer = await gateway.Http.AnswerAsync(HttpMethod.Post, path, body);

        Assert.True(answer.Status is 403 or 400, answer.Text);
        Assert.Contains(sentence, answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(_engine.Requests, request => request.Path == path);
    }

    [Theory]
    [InlineData("/api/pull", """{"model":"hf.co/org/model:q4"}""")]
    [InlineData("/api/pull", """{"model":"HF.co/org/model"}""")]
    [InlineData("/api/pull", """{"model":"registry.lan:5000/a/b","insecure":true}""")]
    [InlineData("/api/pull", """{"model":"registry.ollama.ai/library/mock"}""")]
    [InlineData("/api/pull", """{"model":"library/mock"}""")]
    public async Task Named_registries_are_allowed(string path, string body)
    {
        await using var gateway = await TestGateway.StartAsync([("one", _engine.Address)], ["--Gateway:Registries=hf.co,http://registry.lan:5000"]);

        Assert.Equal(200, (await gateway.Http.AnswerAsync(HttpMethod.Post, path, body)).Status);
        Assert.Single(_engine.Requests, request => request.Path == path);
    }

    [Theory]
    [InlineData("/api/create", """{"model":"mine","from":"evil.example/a/$"}""", "from")]
    [InlineData("/api/copy", """{"source":"evil.example/a/$","destination":"mine"}""", "source")]
    [InlineData("/api/copy", """{"source":"mock","destination":"evil.example/a/$"}""", "destination")]
    public async Task Name_that_is_too_long_to_be_checked_is_refused(string path, string body, string property)
    {
        await using var gateway = await TestGateway.StartAsync([("one", _engine.Address)]);

        foreach (var length in (int[])[ModelText.MaxLength, 10_000])
        {
            var answer = await gateway.Http.AnswerAsync(HttpMethod.Post, path, body.Replace("$", new string('b', length), StringComparison.Ordinal));

            Assert.Equal(400, answer.Status);
            Assert.Contains(property, answer.Text, StringComparison.Ordinal);
        }

        Assert.DoesNotContain(_engine.Requests, request => request.Path == path);
    }

    [Fact]
    public async Task Insecure_needs_a_registry_that_is_named_so()
    {
        await using var gateway = await TestGateway.StartAsync([("one", _engine.Address)], ["--Gateway:Registries=hf.co"]);

        Assert.Equal(403, (await gateway.Http.AnswerAsync(HttpMethod.Post, "/api/pull", """{"model":"hf.co/org/model","insecure":true}""")).Status);
    }
}
