namespace Hazumu.Hosting.Publishing;

/// <summary>The images between which the chart chooses by its values, in place of the resource's own.</summary>
/// <param name="Choices">Each image with its key in the chart and the port that its program listens on.</param>
internal sealed record PublishedChoiceAnnotation(params IReadOnlyList<(string Key, ContainerImageAnnotation Image, int Port)> Choices) : IResourceAnnotation;
