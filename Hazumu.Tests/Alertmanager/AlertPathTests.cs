using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Cli.Doctor;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hazumu.Tests.Alertmanager;

/// <summary>The doctor's test alert by way of the real Alertmanager, its configuration and a receiver of this test's.</summary>
public sealed class AlertPathTests
{
    public AlertPathTests() => Skip.IfMissing(Component.Alertmanager);

    [Fact]
    public async Task A_test_alert_arrives_and_resolves()
    {
        await using var receiver = await Receiver.StartAsync(HttpStatusCode.OK);
        await using var alertmanager = await AlertmanagerContainer.StartAsync(receiver.Address);

        var result = await LookAsync(alertmanager);

        Assert.True(result.Outcome == CheckOutcome.Ok, $"{string.Join('\n', result.Findings)}\n{await alertmanager.LogAsync()}");
        Assert.Equal("Alertmanager to people by webhook", result.Summary);
        var first = receiver.Notifications.First();
        Assert.Equal(("firing", "people"), (first.GetProperty("status").GetString(), first.GetProperty("receiver").GetString()));
        var alert = Assert.Single(first.GetProperty("alerts").EnumerateArray());
        Assert.Equal("HazumuTest", alert.GetProperty("labels").GetProperty("alertname").GetString());
        Assert.Contains("nothing is wrong", alert.GetProperty("annotations").GetProperty("summary").GetString(), StringComparison.Ordinal);

        using var http = new HttpClient();
        Assert.Equal("[]", (await http.GetStringAsync(new Uri(alertmanager.Address, "api/v2/alerts"))).Trim());
        await Wait.UntilAsync("the receiver to hear that it is over", TimeSpan.FromSeconds(30), () =>
        {
            Assert.Equal("resolved", receiver.Notifications.Last().GetProperty("status").GetString());
            return Task.CompletedTask;
        }, alertmanager.LogAsync);
    }

    [Theory]
    [InlineData(HttpStatusCode.InternalServerError)]
    [InlineData(HttpStatusCode.Forbidden)]
    public async Task A_receiver_that_refuses_is_a_problem(HttpStatusCode status)
    {
        await using var receiver = await Receiver.StartAsync(status);
        await using var alertmanager = await AlertmanagerContainer.StartAsync(receiver.Address);

        var result = await LookAsync(alertmanager);

        Assert.NotEmpty(receiver.Notifications);
        Assert.True(result.IsProblem);
        Assert.StartsWith("Alertmanager cannot deliver to the receiver 'people' by webhook;", Assert.Single(result.Findings), StringComparison.Ordinal);
    }

    private static async Task<CheckResult> LookAsync(AlertmanagerContainer alertmanager) =>
        (await CheckRunner.RunAsync(new DoctorOptions { Alertmanager = alertmanager.Address }, CancellationToken.None)).Single(result => result.Name == "alert path");

    /// <summary>A webhook that a container reaches.</summary>
    private sealed class Receiver(WebApplication app, ConcurrentQueue<JsonElement> notifications) : IAsyncDisposable
    {
        public IReadOnlyCollection<JsonElement> Notifications => notifications;

        public Uri Address => new($"http://{AlertmanagerContainer.Host}:{new Uri(app.Urls.Single()).Port}/alerts");

        public static async Task<Receiver> StartAsync(HttpStatusCode answer)
        {
            var notifications = new ConcurrentQueue<JsonElement>();
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            // Containers come by the bridge's address of this machine, with Docker Desktop by loopback.
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Any, 0));
            var app = builder.Build();
            app.MapPost("/alerts", async (HttpRequest request) =>
            {
                notifications.Enqueue(await JsonSerializer.DeserializeAsync<JsonElement>(request.Body));
                return Results.StatusCode((int)answer);
            });
            await app.StartAsync();
            return new(app, notifications);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
