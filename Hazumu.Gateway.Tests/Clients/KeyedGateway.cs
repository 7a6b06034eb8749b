using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Mocks;

namespace Hazumu.Gateway.Tests.Clients;

/// <summary>A gateway that requires a key, in front of two engines with the models <c>mock</c> and <c>spare</c>, for all tests of a class.</summary>
public sealed class KeyedGateway : IAsyncLifetime
{
    /// <summary>The text of every answer.</summary>
    public const string Answer = "日本é日本é日本é日本é";

    private readonly TemporaryFolder _folder = new();

    /// <summary>A key with every scope.</summary>
    public string Key { get; private set; } = "";

    /// <summary>A text of the same form that is no key.</summary>
    public string WrongKey => TestKeys.WithOtherSecret(Key);

    internal TestGateway Gateway { get; private set; } = null!;

    internal IReadOnlyList<MockEngine> Engines { get; private set; } = [];

    /// <summary>The requests that either engine has seen.</summary>
    internal IEnumerable<MockRequest> Requests => Engines.SelectMany(engine => engine.Requests);

    public async ValueTask InitializeAsync()
    {
        (var key, Key) = TestKeys.Make("client", Scope.Infer | Scope.Read | Scope.Admin);
        TestKeys.Write(_folder.File("keys.json"), key);
        var options = new MockEngineOptions { Models = [new MockModel("mock"), new MockModel("spare")], Tokens = 4, TokenText = "日本é", Parallel = 8 };
        Engines = [await MockEngine.StartAsync(options), await MockEngine.StartAsync(options)];
        foreach (var engine in Engines)
        {
            await engine.LoadAsync("mock");
        }

        Gateway = await TestGateway.StartAsync(
            [("first", Engines[0].Address), ("second", Engines[1].Address)],
            "--Gateway:Slots=8", "--Gateway:Keys:Required=true", $"--Gateway:Keys:File={_folder.File("keys.json")}");
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        foreach (var engine in Engines)
        {
            await engine.DisposeAsync();
        }
        _folder.Dispose();
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
