using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>A gateway that requires a key, in front of two engines with the models <c>mock</c> and <c>spare</c>, for all tests of a class.</summary>
public class KeyedGateway : IAsyncLifetime
{
    /// <summary>The text of every answer.</summary>
    public const string Answer = "日本é日本é日本é日本é";

    private readonly TemporaryFolder _folder = new();

    /// <summary>A key with every scope.</summary>
    public string Key { get; private set; } = "";

    /// <summary>A text of the same form that is no key.</summary>
    public string WrongKey => TestKeys.WithOtherSecret(Key);

    /// <summary>Whether the engines speak OpenAI's API alone.</summary>
    public virtual bool SpeaksOpenAIOnly => false;

    internal TestGateway Gateway { get; private set; } = null!;

    internal IReadOnlyList<MockEngine> Engines { get; private set; } = [];

    /// <summary>The requests that either engine has seen.</summary>
    internal IEnumerable<MockRequest> Requests => Engines.SelectMany(engine => engine.Requests);

    public virtual async ValueTask InitializeAsync()
    {
        (var key, Key) = TestKeys.Make("client", Scope.Infer | Scope.Read | Scope.Admin);
        TestKeys.Write(_folder.File("keys.json"), key);
        Gateway = await TestGateway.StartAsync(
            await StartEnginesAsync(),
            ["--Gateway:Slots=8", "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={_folder.File("keys.json")}", .. Settings]);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        foreach (var engine in Engines)
        {
            await engine.DisposeAsync();
        }

        _folder.Dispose();
    }

    /// <summary>Further settings of the gateway.</summary>
    private protected virtual IEnumerable<string> Settings => [];

    /// <summary>Starts the engines.</summary>
    /// <returns>Their names and addresses.</returns>
    private protected virtual async Task<IReadOnlyList<(string Name, Uri Address)>> StartEnginesAsync()
    {
        var options = new MockEngineOptions
        {
            Models = [new MockModel("mock"), new MockModel("spare")], Tokens = 4, TokenText = "日本é", Parallel = 8, SpeaksOpenAIOnly = SpeaksOpenAIOnly,
        };
        Engines = [await MockEngine.StartAsync(options), await MockEngine.StartAsync(options)];
        foreach (var engine in SpeaksOpenAIOnly ? [] : Engines)
        {
            await engine.LoadAsync("mock");
        }

        return [("first", Engines[0].Address), ("second", Engines[1].Address)];
    }

    /// <summary>Has both engines answer a path with a script.</summary>
    internal void Script(string path, MockScript script)
    {
        foreach (var engine in Engines)
        {
            engine.Script(path, script);
        }
    }

    /// <summary>Checks that no engine has seen the key.</summary>
    internal void KeyStaysHere() =>
        Assert.DoesNotContain(Requests, request => request.Headers.Values.Any(value => value.Contains(Key, StringComparison.Ordinal)));
}

/// <summary>The same in front of engines that speak OpenAI's API alone.</summary>
public sealed class TranslatingGateway : KeyedGateway
{
    /// <inheritdoc/>
    public override bool SpeaksOpenAIOnly => true;
}
