using YamlDotNet.RepresentationModel;

namespace Hazumu.AppHost.Publishing;

/// <summary>What is otherwise where the published application runs in its development form.</summary>
/// <param name="Change">Writes into the service's part of <c>docker-compose.development.yaml</c>.</param>
internal sealed record PublishedDevelopmentAnnotation(Action<YamlMappingNode> Change) : IResourceAnnotation
{
    /// <summary>Names the further files of that form.</summary>
    public const string Option = "development";
}
