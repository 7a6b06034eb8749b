using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;

namespace Hazumu.ServiceDefaults;

/// <summary>The defaults of every client of <c>IHttpClientFactory</c>: service discovery and retries.</summary>
internal static class HttpClientDefaults
{
    public static void Add(IServiceCollection services)
    {
        services.AddServiceDiscovery();

        services.ConfigureHttpClientDefaults(http =>
        {
            // Defaults make one pipeline for all clients (dotnet/extensions#5021), so that one failing service would open the
            // circuit breaker for every other: one pipeline an authority instead. A generate request must not run twice.
            http.AddStandardResilienceHandler(options => options.Retry.DisableForUnsafeHttpMethods())
                .SelectPipelineByAuthority();

            // Inside the retries: each attempt may go to another address.
            http.AddServiceDiscovery();
        });
    }
}
