namespace Hazumu.Hosting.Publishing;

/// <summary>An environment variable that a published container has only where an option of the application is used.</summary>
/// <param name="Option">The option, as in <see cref="PublishedOptionAnnotation"/>.</param>
/// <param name="Name">The variable.</param>
/// <param name="Value">Its value, as Compose reads it.</param>
internal sealed record PublishedOptionalVariableAnnotation(string Option, string Name, string Value) : IResourceAnnotation;
