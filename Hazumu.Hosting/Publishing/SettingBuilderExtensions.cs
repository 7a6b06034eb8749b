using Hazumu.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>
/// Provides extension methods that pass a setting to a program; a published application passes the setting's Compose
/// variable.
/// </summary>
internal static class SettingBuilderExtensions
{
    /// <summary>Sets an environment variable to a setting's value.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="name">The variable.</param>
    /// <param name="settings">The component's settings.</param>
    /// <param name="setting">The setting below the component's section.</param>
    /// <param name="value">Its value.</param>
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, ComponentOptions settings, string setting, object value) where T : IResourceWithEnvironment =>
        builder.WithEnvironment(name, builder.ApplicationBuilder.ExecutionContext.IsPublishMode ? settings.Variable(setting, value) : ComponentOptions.Format(value));

    /// <summary>Adds an argument that ends with a setting's value.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="prefix">The argument before the value.</param>
    /// <param name="settings">The component's settings.</param>
    /// <param name="setting">The setting below the component's section.</param>
    /// <param name="value">Its value.</param>
    /// <param name="suffix">The argument after the value.</param>
    public static IResourceBuilder<T> WithArgument<T>(this IResourceBuilder<T> builder, string prefix, ComponentOptions settings, string setting, object value, string suffix = "") where T : IResourceWithArgs =>
        builder.WithArgs(builder.ApplicationBuilder.ExecutionContext.IsPublishMode
            ? new ComposeExpression($"{prefix}{settings.Variable(setting, value)}{suffix}")
            : $"{prefix}{ComponentOptions.Format(value)}{suffix}");

    /// <summary>
    /// Sets the address that a program of Prometheus' family writes into links: the resource's port on this machine.
    /// </summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="port">The port; without one, the program's own default applies.</param>
    public static IResourceBuilder<T> WithExternalUrl<T>(this IResourceBuilder<T> builder, int? port) where T : ContainerResource
    {
        const string Prefix = "--web.external-url=http://localhost:";
        return port is null ? builder : builder.WithArgs(context =>
            // The settings are known when the whole graph is.
            context.Args.Add(context.ExecutionContext.IsPublishMode && SettingsAnnotation.Of(builder.Resource) is { } settings
                ? new ComposeExpression($"{Prefix}{settings.Variable(nameof(settings.Port), port)}/")
                : $"{Prefix}{ComponentOptions.Format(port)}/"));
    }
}
