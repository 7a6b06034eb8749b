using Hazumu.Testing;

namespace Hazumu.Tests.Compose;

/// <summary>The whole graph, run by Compose as it is published.</summary>
public sealed class ComposeBackendTests(ComposeBackend backend) : BackendChecks(backend), IClassFixture<ComposeBackend>
{
    [Fact]
    public async Task The_gateways_command_for_keys_works_in_its_container()
    {
        backend.SkipIfMissing(Component.Gateway);

        var created = await KeysAsync("create", "alice");
        Assert.Matches("hzm_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", created);
        Assert.Contains("alice", await KeysAsync("list"), StringComparison.Ordinal);

        await KeysAsync("revoke", "alice");
        Assert.DoesNotContain("alice  ", await KeysAsync("list"), StringComparison.Ordinal);
    }

    private async Task<string> KeysAsync(params string[] arguments)
    {
        var result = await backend.ExecuteAsync(Component.Gateway, ["/app/Hazumu.Gateway", "keys", .. arguments]);
        Assert.True(result.Succeeded, result.Output);
        return result.Output;
    }
}
