using System.Text;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Pipeline.Bodies;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;
using Hazumu.Gateway.Tests.Keys;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Gateway.Tests.Pipeline.Bodies;

public sealed class RequestBodyTests : IDisposable
{
    private const int Megabyte = 1024 * 1024;

    private static readonly Operation s_chat = new("chat", Dialect.OpenAI, Scope.Infer, Handling.Infer, "chat", ModelPlace.Body);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(100, 0)]
    [InlineData(16 * 1024, 32 * 1024)]
    [InlineData(100_000, 128 * 1024)]
    [InlineData(1_000_000, Megabyte)]
    public async Task Memory_grows_with_what_arrives_and_not_with_the_length(int arrived, int taken)
    {
        var budget = Budget();
        using var client = new SlowStream(arrived);
        using var body = new RequestBody(budget);

        var reading = body.ReadAsync(client, length: 16 * Megabyte, long.MaxValue, int.MaxValue, CancellationToken.None);
        await client.Waits;

        Assert.Equal(arrived, body.BytesRead);
        Assert.Equal(taken, budget.Memory);
        client.End();
        Assert.Equal(BodyRead.Done, await reading);
        body.Dispose();
        Assert.Equal((0, 0), (budget.Memory, budget.Disk));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(100_000)]
    [InlineData(Megabyte)]
    [InlineData(Megabyte + 1)]
    [InlineData(5_000_000)]
    public async Task Body_is_replayed_as_it_came_but_for_its_edits(int size)
    {
        var budget = Budget();
        using var body = new RequestBody(budget);
        var text = $$"""{"messages":"{{new string('x', size)}}","model":"m","stream":true}""";
        Assert.Equal(BodyRead.Done, await body.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), null, long.MaxValue, int.MaxValue, CancellationToken.None));

        Assert.InRange(budget.Memory, 0, 2 * Megabyte);
        Assert.Equal(size >= Megabyte, budget.Disk > 0);
        Assert.Equal(text, await ReadAsync(body));
        var head = body.Parse(s_chat, ModelPlace.Body);
        Assert.Equal(("m", true, true), (head.Model, head.Stream, head.IsWhole));

        body.Replace(head.UsagePlace, UsageRequest.TextOf(head.UsageChange));
        var expected = text[..^1] + """,'stream_options':{'include_usage':true}}""".Replace('\'', '"');
        Assert.Equal(expected, await ReadAsync(body));
        Assert.Equal(expected, await ReadAsync(body));
        Assert.Equal(expected.Length, body.Length);

        body.Head = head;
        foreach (var (model, named) in new[] { ("another", expected.Replace("\"m\"", "\"another\"", StringComparison.Ordinal)), ("n", expected.Replace("\"m\"", "\"n\"", StringComparison.Ordinal)), (null, expected) })
        {
            body.NameModel(model);
            Assert.Equal(named, await ReadAsync(body));
            Assert.Equal(named.Length, body.Length);
        }

        Assert.True(size < Megabyte || Directory.GetFileSystemEntries(_folder.File("bodies")).Length == 0, "The file has a name.");

        body.ReleaseIfSent();
        Assert.False(body.CanSend);
        Assert.Equal((0, 0), (budget.Memory, budget.Disk));
    }

    [Fact]
    public async Task Body_stays_in_memory_without_a_disk_and_finds_no_room_when_that_is_taken()
    {
        var budget = Budget("Gateway:Body:DiskLimit=0", $"Gateway:Body:MemoryLimit={8 * Megabyte}");
        using var first = new RequestBody(budget);
        using var second = new RequestBody(budget);
        using var small = new RequestBody(budget);

        Assert.Equal(BodyRead.Done, await ReadAsync(first, 4 * Megabyte));
        Assert.Equal(BodyRead.NoRoom, await ReadAsync(second, 4 * Megabyte));
        Assert.Equal(BodyRead.Done, await ReadAsync(small, 10_000));
        second.Dispose();
        Assert.Equal(4 * Megabyte, budget.Memory);
        first.Dispose();
        Assert.Equal((0, 0), (budget.Memory, budget.Disk));
    }

    [Fact]
    public async Task Body_goes_to_the_disk_early_when_memory_is_taken()
    {
        var budget = Budget($"Gateway:Body:MemoryLimit={Megabyte}");
        Assert.True(budget.TryTakeMemory(Megabyte));
        using var body = new RequestBody(budget);

        Assert.Equal(BodyRead.Done, await ReadAsync(body, 100_000));

        Assert.Equal((Megabyte, 100_000), (budget.Memory, budget.Disk));
    }

    [Fact]
    public async Task Body_that_memory_can_never_hold_is_too_large_without_a_disk()
    {
        using var body = new RequestBody(Budget("Gateway:Body:DiskLimit=0", $"Gateway:Body:MemoryLimit={2 * Megabyte}"));

        Assert.Equal(BodyRead.NeverFits, await ReadAsync(body, 4 * Megabyte));
    }

    [Fact]
    public async Task Body_over_the_whole_disk_limit_is_too_large()
    {
        using var body = new RequestBody(Budget($"Gateway:Body:DiskLimit={2 * Megabyte}", $"Gateway:Body:MemoryLimit={Megabyte}"));

        Assert.Equal(BodyRead.NeverFits, await ReadAsync(body, 4 * Megabyte));
    }

    [Fact]
    public async Task Body_over_the_limit_is_too_large()
    {
        using var body = new RequestBody(Budget());

        Assert.Equal(BodyRead.TooLarge, await body.ReadAsync(new MemoryStream(new byte[100_000]), null, long.MaxValue, limit: 99_999, CancellationToken.None));
    }

    [Fact]
    public async Task Disk_that_is_taken_leaves_no_room()
    {
        var budget = Budget($"Gateway:Body:DiskLimit={2 * Megabyte}", $"Gateway:Body:MemoryLimit={Megabyte}");
        using var first = new RequestBody(budget);
        using var second = new RequestBody(budget);

        Assert.Equal(BodyRead.Done, await ReadAsync(first, 2 * Megabyte));
        Assert.Equal(BodyRead.NoRoom, await ReadAsync(second, 700_000 + Megabyte));

        second.Dispose();
        first.Dispose();
        Assert.Equal((0, 0), (budget.Memory, budget.Disk));
    }

    private BodyBudget Budget(params string[] settings)
    {
        var configuration = new ConfigurationBuilder().AddCommandLine([.. settings.Prepend($"Gateway:Body:Folder={_folder.File("bodies")}").Select(setting => "--" + setting)]).Build();
        return new BodyBudget(new GatewaySettings(() => configuration, [], NullLogger<GatewaySettings>.Instance), NullLogger<BodyBudget>.Instance);
    }

    private static async Task<BodyRead> ReadAsync(RequestBody body, int size) =>
        await body.ReadAsync(new MemoryStream(new byte[size]), size, long.MaxValue, int.MaxValue, CancellationToken.None);

    private static async Task<string> ReadAsync(RequestBody body)
    {
        using var reader = new StreamReader(body.Open());
        return await reader.ReadToEndAsync();
    }

    // Has sent so much, and then nothing until its end.
    private sealed class SlowStream(int size) : BodyStream
    {
        private readonly TaskCompletionSource _waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _rest = size;

        public Task Waits => _waits.Task;

        public void End() => _end.TrySetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_rest == 0)
            {
                _waits.TrySetResult();
                await _end.Task;
                return 0;
            }

            var count = Math.Min(_rest, Math.Min(buffer.Length, 4096));
            _rest -= count;
            return count;
        }
    }
}
