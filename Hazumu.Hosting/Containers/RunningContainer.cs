namespace Hazumu.Hosting.Containers;

/// <summary>Finds the container that currently runs a resource.</summary>
internal static class RunningContainer
{
    // KnownProperties.Container.Id, which Aspire keeps internal (no issue there yet); to be replaced when it is public.
    private const string IdProperty = "container.id";

    /// <summary>The container's identifier.</summary>
    /// <exception cref="InvalidOperationException">The resource has no container now.</exception>
    public static string GetId(ResourceNotificationService notifications, IResource resource) =>
        notifications.TryGetCurrentState(resource.Name, out var state)
            && state.Snapshot.Properties.FirstOrDefault(property => property.Name == IdProperty)?.Value is string id
                ? id
                : throw new InvalidOperationException($"'{resource.Name}' has no running container.");
}
