using Grpc.Core;
using Grpc.Net.Client;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Cluster;
using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Tests.Serving;
using Hazumu.Gateway.Tests.Streams;
using Hazumu.Testing;

namespace Hazumu.Gateway.Tests.Cluster;

/// <summary>A gateway that connects again before the leader has noticed that its connection broke.</summary>
public sealed class LeaderSessionTests
{
    private const long Id = 1;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>One question by two sessions: before it has an answer, or after.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_slot_is_granted_to_the_later_of_two_sessions_and_held_once(bool isAnswered)
    {
        await using var engine = HeldEngine.Start();
        await using var store = await ValkeyServer.StartAsync();
        await using var leader = await TestGateway.StartAsync([("e", engine.Address)], ["--Gateway:Slots=2", .. store.Arguments]);
        await ClusterGroup.FindLeaderAsync(leader);
        Task[] running = [leader.Http.ChatAsync(), leader.Http.ChatAsync()];
        await engine.HoldsAsync(2);
        using var channel = GrpcChannel.ForAddress(leader.Service<ClusterAdmission>().Own.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal));
        using var earlier = Join(channel, leader);
        await earlier.ResponseHeadersAsync;
        using var later = Join(channel, leader);
        await later.ResponseHeadersAsync;
        await earlier.RequestStream.WriteAsync(Ask(waited: 0));
        await leader.WaitsAsync(1);
        if (isAnswered)
        {
            engine.Release(2);
            await GrantAsync(earlier);
        }

        await later.RequestStream.WriteAsync(Ask(waited: 0));
        if (!isAnswered)
        {
            // A message whose answer shows that the question before it has arrived.
            await later.RequestStream.WriteAsync(Ask(waited: 0) with { Id = Id + 1, IsStreamed = true });
            await leader.WaitsAsync(2);
            await later.RequestStream.WriteAsync(new(MessageKind.End, Id + 1) { End = LeaseEnd.Undecided });
            await leader.WaitsAsync(1);
            engine.Release(2);
        }

        await GrantAsync(later);
        await Task.WhenAll(running);

        // After the end of the earlier session, and after another question, there is one slot still.
        earlier.Dispose();
        await later.RequestStream.WriteAsync(Ask(waited: 0));
        await GrantAsync(later);
        await Wait.UntilAsync(() => Assert.Equal((1, 1), (leader.Service<ClusterAdmission>().Peers, AdmissionTests.InUse(leader))));
        await Wait.WhileAsync(1.5 * ClusterAdmission.Settling, () => Assert.Equal(1, AdmissionTests.InUse(leader)));

        await later.RequestStream.WriteAsync(new(MessageKind.End, Id) { End = LeaseEnd.Undecided });
        await Wait.UntilAsync(() => Assert.Equal(0, AdmissionTests.InUse(leader)));
    }

    [Fact]
    public async Task A_count_that_fails_in_the_leader_is_answered_and_logged()
    {
        await using var engine = HeldEngine.Start();
        await using var store = await ValkeyServer.StartAsync();
        await using var leader = await TestGateway.StartAsync([("e", engine.Address)], store.Arguments);
        await ClusterGroup.FindLeaderAsync(leader);
        using var channel = GrpcChannel.ForAddress(leader.Service<ClusterAdmission>().Own.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal));
        using var session = Join(channel, leader);

        // Without the key that each count has.
        await session.RequestStream.WriteAsync(new(MessageKind.Ask, Id));

        var counted = await ReceiveAsync(session);
        Assert.Equal((MessageKind.Answer, ReachedLimit.None), (counted.Kind, counted.Reached));
        var errors = await Assert.ThrowsAnyAsync<Exception>(() => leader.DisposeAsync().AsTask());
        Assert.Contains("failed in the leader", errors.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_queues_limit_applies_to_a_question_that_no_leader_has_had(bool isAgain)
    {
        await using var engine = HeldEngine.Start();
        await using var store = await ValkeyServer.StartAsync();
        await using var leader = await TestGateway.StartAsync([("e", engine.Address)], ["--Gateway:Queue:Limit=1", .. store.Arguments]);
        await ClusterGroup.FindLeaderAsync(leader);
        var running = leader.Http.ChatAsync();
        await engine.HoldsAsync(1);
        var waiting = leader.Http.ChatAsync();
        await leader.WaitsAsync(1);
        using var channel = GrpcChannel.ForAddress(leader.Service<ClusterAdmission>().Own.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal));
        using var session = Join(channel, leader);
        await session.RequestStream.WriteAsync(Ask(waited: 1_000) with { KeyName = Caller.Anonymous.Name, IsAgain = isAgain });
        if (isAgain)
        {
            await leader.WaitsAsync(2);
            engine.Release(1);
        }

        Assert.Equal(isAgain ? AdmissionStatus.Admitted : AdmissionStatus.QueueFull, (await ReceiveAsync(session)).Status);
        await session.RequestStream.WriteAsync(new(MessageKind.End, Id) { End = LeaseEnd.Undecided });
        engine.Release(2);
        await Task.WhenAll(running, waiting);
    }

    private static ClusterMessage Ask(long waited) => new(MessageKind.Ask, Id) { Model = "mock:latest", KeyName = "somebody", Waited = waited };

    private static AsyncDuplexStreamingCall<ClusterMessage, ClusterMessage> Join(GrpcChannel channel, TestGateway leader) =>
        channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            ClusterContract.Join, null, new CallOptions(new Metadata { { LeaderLink.TokenHeader, leader.Service<ClusterAdmission>().Own.Token } }));

    private static async Task GrantAsync(AsyncDuplexStreamingCall<ClusterMessage, ClusterMessage> session) =>
        Assert.Equal("e", (await ReceiveAsync(session)).Instance);

    private static async Task<ClusterMessage> ReceiveAsync(AsyncDuplexStreamingCall<ClusterMessage, ClusterMessage> session)
    {
        while (await session.ResponseStream.MoveNext(default).WaitAsync(s_limit))
        {
            if (session.ResponseStream.Current is { Kind: not MessageKind.Gateways } message)
            {
                Assert.Equal(Id, message.Id);
                return message;
            }
        }

        throw new EndOfStreamException("The leader has ended the session.");
    }
}
