using Hazumu.Gateway.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Hazumu.Gateway.Keys;

/// <summary>Registers what keys need.</summary>
internal static class KeysServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="KeyStore"/>, <see cref="Authenticator"/>, <see cref="KeyLimits"/>, and what watches the key files. The host's start
    /// throws <see cref="KeyFileException"/> where keys are not as they must be.
    /// </summary>
    public static IServiceCollection AddKeys(this IServiceCollection services, KeyOptions options, IReadOnlyDictionary<string, IssuerOptions> issuers)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new KeyStore(
            options, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<KeyStore>>()));
        services.AddSingleton(provider => new TokenIssuers(
            issuers, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<TokenIssuers>>()));
        services.AddSingleton<Authenticator>();
        services.AddSingleton<KeyLimits>();
        services.AddHostedService<KeyFileWatcher>();
        return services;
    }
}
