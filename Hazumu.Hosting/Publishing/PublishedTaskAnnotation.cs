namespace Hazumu.Hosting.Publishing;

/// <summary>
/// Something to do in a container of the resource's image, with its folders: <c>docker compose run --rm {Name}</c>.
/// </summary>
/// <param name="Name">The service's name; it belongs to a profile, and so does not start with the others.</param>
/// <param name="Command">The program and its arguments.</param>
/// <param name="Variables">The variables of the resource's container that it has too.</param>
/// <param name="Secrets">Its secrets.</param>
internal sealed record PublishedTaskAnnotation(string Name, IReadOnlyList<string> Command, IReadOnlyList<string> Variables, IReadOnlyList<PublishedSecretAnnotation> Secrets) : IResourceAnnotation;
