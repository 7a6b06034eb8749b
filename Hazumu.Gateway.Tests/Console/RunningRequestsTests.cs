using Hazumu.Gateway.Console;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Pipeline.Requests;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Hazumu.Gateway.Tests.Console;

public sealed class RunningRequestsTests
{
    private readonly RunningRequests _running = new(new NoRecorder());

    [Fact]
    public void Cancel_closes_the_connection_while_the_request_cannot_end()
    {
        var connection = new Connection();
        var request = Begin(connection);
        connection.Aborting = () => Monitor.IsEntered(request);

        Assert.True(_running.Cancel(request));

        Assert.Equal([true], connection.Aborted);
    }

    [Fact]
    public void Cancel_leaves_the_connection_of_a_request_that_has_ended()
    {
        var connection = new Connection();
        var request = Begin(connection);
        _running.Record(request, request.Context!);

        Assert.False(_running.Cancel(request));

        Assert.Empty(connection.Aborted);
    }

    [Fact]
    public void Abort_of_an_own_request_that_has_ended_does_nothing()
    {
        var exchange = new OwnExchange(null, CancellationToken.None);
        exchange.Dispose();

        exchange.Abort();

        Assert.False(exchange.RequestAborted.IsCancellationRequested);
    }

    private GatewayRequest Begin(Connection connection)
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpRequestLifetimeFeature>(connection);
        var request = new GatewayRequest { Operation = OperationTable.Match("POST", "/api/chat"), Id = "1", Context = context };
        _running.Begin(request);
        return request;
    }

    private sealed class Connection : IHttpRequestLifetimeFeature
    {
        public List<bool> Aborted { get; } = [];

        public Func<bool> Aborting { get; set; } = () => false;

        public CancellationToken RequestAborted { get; set; }

        public void Abort() => Aborted.Add(Aborting());
    }

    private sealed class NoRecorder : IRequestRecorder
    {
        public void Begin(GatewayRequest request)
        {
        }

        public void Record(GatewayRequest request, HttpContext context)
        {
        }
    }
}
