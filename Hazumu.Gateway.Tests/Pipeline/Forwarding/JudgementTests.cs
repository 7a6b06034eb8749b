using System.Net.Sockets;
using Hazumu.Gateway.Admission;
using Hazumu.Gateway.Pipeline.Forwarding;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Hazumu.Gateway.Tests.Pipeline.Forwarding;

/// <summary>Whose fault the end of an attempt is, and what follows from it.</summary>
public class JudgementTests
{
    /// <summary>Written down by hand: an end that is added is thought about, and added here as well.</summary>
    private static readonly Dictionary<AttemptEnd, (Fault Fault, LeaseEnd Lease, Retry Retry, Outcome? Outcome, int Status)> s_rows = new()
    {
        [AttemptEnd.Answered] = (Fault.None, LeaseEnd.Answered, Retry.Never, null, 0),
        [AttemptEnd.Busy] = (Fault.None, LeaseEnd.Busy, Retry.Granted, Outcome.EngineError, 0),
        [AttemptEnd.Declined] = (Fault.None, LeaseEnd.Answered, Retry.Granted, Outcome.EngineError, 0),
        [AttemptEnd.Truncated] = (Fault.Instance, LeaseEnd.Answered, Retry.Never, Outcome.StreamTruncated, 0),
        [AttemptEnd.Unreachable] = (Fault.Instance, LeaseEnd.Failed, Retry.Budgeted, Outcome.EngineUnreachable, 502),
        [AttemptEnd.AnswerLost] = (Fault.Instance, LeaseEnd.Undecided, Retry.Never, Outcome.EngineUnreachable, 502),
        [AttemptEnd.InstanceLost] = (Fault.Instance, LeaseEnd.Undecided, Retry.Always, Outcome.EngineUnreachable, 502),
        [AttemptEnd.Unreadable] = (Fault.Instance, LeaseEnd.Undecided, Retry.Never, Outcome.EngineError, 502),
        [AttemptEnd.TimedOut] = (Fault.Instance, LeaseEnd.Failed, Retry.Never, Outcome.EngineTimeout, 504),
        [AttemptEnd.TimedOutUnstreamed] = (Fault.Instance, LeaseEnd.Undecided, Retry.Never, Outcome.EngineTimeout, 504),
        [AttemptEnd.BrokenOff] = (Fault.Instance, LeaseEnd.Undecided, Retry.Never, Outcome.StreamTruncated, 0),
        [AttemptEnd.Stalled] = (Fault.Instance, LeaseEnd.Failed, Retry.Never, Outcome.StreamStalled, 0),
        [AttemptEnd.ClientGone] = (Fault.Client, LeaseEnd.Undecided, Retry.Never, Outcome.ClientDisconnect, 0),
        [AttemptEnd.BadBody] = (Fault.Client, LeaseEnd.Undecided, Retry.Never, Outcome.BadRequest, 400),
        [AttemptEnd.Unsendable] = (Fault.Client, LeaseEnd.Undecided, Retry.Never, Outcome.BadRequest, 400),
        [AttemptEnd.GatewayFailed] = (Fault.Gateway, LeaseEnd.Undecided, Retry.Never, Outcome.GatewayError, 500),
    };

    private static readonly Dictionary<string, (ForwarderError Error, Exception? Exception, AttemptEnd End)> s_failures = new()
    {
        ["refused"] = (ForwarderError.Request, new HttpRequestException(HttpRequestError.ConnectionError, "", new SocketException((int)SocketError.ConnectionRefused)), AttemptEnd.Unreachable),
        ["no such name"] = (ForwarderError.Request, new HttpRequestException(HttpRequestError.NameResolutionError, "", new SocketException()), AttemptEnd.Unreachable),
        ["certificate"] = (ForwarderError.Request, new HttpRequestException(HttpRequestError.SecureConnectionError, "", new IOException()), AttemptEnd.Unreachable),
        ["connection timeout"] = (ForwarderError.RequestTimedOut, new TaskCanceledException("", new TimeoutException()), AttemptEnd.Unreachable),
        ["reset"] = (ForwarderError.Request, new HttpRequestException("", new IOException("", new SocketException((int)SocketError.ConnectionReset))), AttemptEnd.Unreachable),
        ["closed"] = (ForwarderError.Request, new HttpRequestException("", new HttpIOException(HttpRequestError.ResponseEnded)), AttemptEnd.Unreachable),
        ["reset while the body is sent"] = (ForwarderError.RequestBodyDestination, new IOException("", new SocketException((int)SocketError.ConnectionReset)), AttemptEnd.Unreachable),
        ["no HTTP"] = (ForwarderError.Request, new HttpRequestException(HttpRequestError.InvalidResponse, ""), AttemptEnd.Unreadable),
        ["headers too large"] = (ForwarderError.Request, new HttpRequestException(HttpRequestError.ConfigurationLimitExceeded, ""), AttemptEnd.Unreadable),
        ["header that cannot be written"] = (ForwarderError.Request, new HttpRequestException("Request headers must contain only ASCII characters."), AttemptEnd.Unsendable),
        ["path that is no URL"] = (ForwarderError.RequestCreation, new UriFormatException(), AttemptEnd.Unsendable),
        ["malformed body"] = (ForwarderError.RequestBodyClient, new BadHttpRequestException(""), AttemptEnd.BadBody),
        ["malformed body, beside the engine's end"] = (ForwarderError.RequestBodyClient, new AggregateException(new BadHttpRequestException(""), new IOException()), AttemptEnd.BadBody),
        ["chunk over 64 bits"] = (ForwarderError.RequestBodyClient, new IOException("", new OverflowException()), AttemptEnd.BadBody),
        ["client's reset"] = (ForwarderError.RequestBodyClient, new IOException("", new SocketException((int)SocketError.ConnectionReset)), AttemptEnd.ClientGone),
        ["body that cannot be read back"] = (ForwarderError.RequestBodyClient, new AggregateException(new InvalidOperationException("", new IOException())), AttemptEnd.GatewayFailed),
        ["client gone"] = (ForwarderError.RequestBodyCanceled, new OperationCanceledException(), AttemptEnd.ClientGone),
        ["bug before the engine's answer"] = (ForwarderError.Request, new InvalidOperationException(), AttemptEnd.GatewayFailed),
        ["bug"] = (ForwarderError.ResponseHeaders, new InvalidOperationException(), AttemptEnd.GatewayFailed),
    };

    public static TheoryData<string> Ends => [.. Enum.GetNames<AttemptEnd>()];

    public static TheoryData<string> Failures => [.. s_failures.Keys];

    [Theory]
    [MemberData(nameof(Ends))]
    public void Each_end_has_the_judgement_that_was_thought_about(string name)
    {
        var end = Enum.Parse<AttemptEnd>(name);

        var judgement = Judgement.Of(end);

        Assert.Equal(end, judgement.End);
        Assert.Equal(s_rows[end], (judgement.Fault, judgement.Lease, judgement.Retry, judgement.Outcome, judgement.Refusal?.Status ?? 0));
        Assert.Equal(judgement.Refusal?.Outcome ?? judgement.Outcome, judgement.Outcome);
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public void Each_exception_is_attributed_to_its_cause(string name)
    {
        var (error, exception, end) = s_failures[name];

        Assert.Equal(end, Judgement.EndOf(error, exception));
    }

    [Fact]
    public void Only_an_instance_that_cannot_be_reached_or_hangs_counts_as_failed()
    {
        var failed = Enum.GetValues<AttemptEnd>().Select(Judgement.Of).Where(judgement => judgement.Lease == LeaseEnd.Failed);

        Assert.Equal([AttemptEnd.Unreachable, AttemptEnd.TimedOut, AttemptEnd.Stalled], failed.Select(judgement => judgement.End));
        Assert.All(failed, judgement => Assert.Equal(Fault.Instance, judgement.Fault));
    }

    [Theory]
    [InlineData(404, "EngineRefused")]
    [InlineData(500, "EngineError")]
    [InlineData(501, "EngineRefused")]
    [InlineData(503, "EngineError")]
    public void Answer_without_what_was_requested_is_no_fault_of_the_engine(int status, string outcome) =>
        Assert.Equal(outcome, Judgement.Of(AttemptEnd.Answered).Complete(default, status).Outcome.ToString());
}
