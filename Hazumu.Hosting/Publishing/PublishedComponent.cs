using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// A component of the graph with its arguments and variables resolved: what the Compose application and the chart are
/// both written from.
/// </summary>
/// <param name="Resource">The resource.</param>
/// <param name="Settings">Its settings.</param>
/// <param name="Arguments">The arguments of its program.</param>
/// <param name="Environment">The environment variables, in the order in which the AppHost sets them.</param>
internal sealed record PublishedComponent(
    IResource Resource,
    ComponentOptions Settings,
    IReadOnlyList<PublishedValue> Arguments,
    IReadOnlyList<KeyValuePair<string, PublishedValue>> Environment)
{
    /// <summary>Resolves every component of the graph.</summary>
    /// <param name="model">The application model.</param>
    /// <param name="context">The context of the publishing application.</param>
    /// <param name="cancellationToken">Cancels the work.</param>
    public static async Task<IReadOnlyList<PublishedComponent>> ResolveAsync(DistributedApplicationModel model, DistributedApplicationExecutionContext context, CancellationToken cancellationToken)
    {
        var components = new List<PublishedComponent>();
        foreach (var resource in model.Resources)
        {
            if (SettingsAnnotation.Of(resource) is { } settings)
            {
                var configuration = await ExecutionConfigurationBuilder.Create(resource)
                    .WithArgumentsConfig()
                    .WithEnvironmentVariablesConfig()
                    .BuildAsync(context, NullLogger.Instance, cancellationToken);
                if (configuration.Exception is { } problem)
                {
                    throw new DistributedApplicationException($"The arguments and variables of '{resource.Name}' cannot be resolved: {problem.Message}", problem);
                }

                components.Add(new(
                    resource,
                    settings,
                    [.. configuration.ArgumentsWithUnprocessed.Select(argument => PublishedValue.Of(argument.Unprocessed))],
                    [.. configuration.EnvironmentVariablesWithUnprocessed.Select(variable => KeyValuePair.Create(variable.Key, PublishedValue.Of(variable.Value.Unprocessed)))]));
            }
        }

        return components;
    }

    /// <summary>The endpoints.</summary>
    public IEnumerable<EndpointAnnotation> Endpoints => Annotations<EndpointAnnotation>();

    /// <summary>All annotations of a type.</summary>
    /// <typeparam name="T">The type.</typeparam>
    public IEnumerable<T> Annotations<T>() where T : IResourceAnnotation => Resource.Annotations.OfType<T>();
}

/// <summary>An argument, or the value of an environment variable.</summary>
/// <param name="Text">The value in a network where each component's name is its host name.</param>
/// <param name="IsReference">Whether it holds another component's address or a parameter.</param>
internal sealed record PublishedValue(string Text, bool IsReference)
{
    /// <summary>Resolves a value of the application model.</summary>
    /// <param name="value">The value as the AppHost has set it.</param>
    public static PublishedValue Of(object value) => new(Resolve(value), value is not (string or ReferenceExpression { ValueProviders.Count: 0 }));

    private static string Resolve(object value) => value switch
    {
        string text => text,
        ComposeExpression expression => expression.Text,
        EndpointReference endpoint => Resolve(endpoint.Property(EndpointProperty.Url)),
        EndpointReferenceExpression expression => Resolve(expression.Endpoint, expression.Property),
        ReferenceExpression expression => string.Format(CultureInfo.InvariantCulture, expression.Format, [.. expression.ValueProviders.Select(Resolve)]),
        ConnectionStringReference reference => Resolve(reference.Resource.ConnectionStringExpression),
        IResourceWithConnectionString resource => Resolve(resource.ConnectionStringExpression),
        ParameterResource parameter => $"${{{parameter.Name.ToUpperInvariant().Replace('-', '_')}:?}}",
        _ => throw new DistributedApplicationException($"A value of type '{value.GetType()}' cannot be published; extend {nameof(PublishedValue)}."),
    };

    private static string Resolve(EndpointReference reference, EndpointProperty property)
    {
        var endpoint = reference.EndpointAnnotation;
        var port = ComponentOptions.Format(endpoint.TargetPort ?? endpoint.Port ?? throw new DistributedApplicationException($"The endpoint '{endpoint.Name}' of '{reference.Resource.Name}' has no port; set its target port."));
        return property switch
        {
            EndpointProperty.Url => $"{endpoint.UriScheme}://{reference.Resource.Name}:{port}",
            EndpointProperty.Host or EndpointProperty.IPV4Host => reference.Resource.Name,
            EndpointProperty.HostAndPort => $"{reference.Resource.Name}:{port}",
            EndpointProperty.Port or EndpointProperty.TargetPort => port,
            EndpointProperty.Scheme => endpoint.UriScheme,
            _ => throw new DistributedApplicationException($"The property '{property}' of an endpoint cannot be published."),
        };
    }
}
