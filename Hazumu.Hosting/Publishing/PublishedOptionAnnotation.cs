namespace Hazumu.Hosting.Publishing;

/// <summary>
/// A resource that a published application has only with a further Compose file, <c>docker-compose.{option}.yaml</c>:
/// Compose cannot
/// look at the host, nor leave a service out by a variable. A resource may belong to several options, in another form
/// each.
/// </summary>
/// <param name="Option">The option that the further file adds.</param>
/// <param name="Image">The image there, where it is not the resource's own.</param>
/// <param name="Port">The port in the container there, where it is not the resource's own.</param>
internal sealed record PublishedOptionAnnotation(string Option, ContainerImageAnnotation? Image = null, int? Port = null) : IResourceAnnotation
{
    /// <summary>NVIDIA's GPUs.</summary>
    public const string Nvidia = "nvidia";

    /// <summary>AMD's GPUs.</summary>
    public const string Amd = "amd";

    /// <summary>Containers' logs.</summary>
    public const string Logs = "logs";

    /// <summary>Several replicas with a common store.</summary>
    public const string Cluster = "cluster";

    /// <summary>An engine that serves a model from a file.</summary>
    public const string ModelFile = "gguf";

    /// <summary>An engine that serves a model of Hugging Face on NVIDIA's GPUs.</summary>
    public const string HuggingFace = "huggingface";

    /// <summary>The options, with the first line of their Compose files.</summary>
    public static readonly (string Option, string Purpose)[] Purposes =
    [
        (Nvidia, "Gives containers the NVIDIA GPUs, and measures the GPUs; needs the NVIDIA Container Toolkit."),
        (Amd, "Gives containers the AMD GPUs through ROCm, and measures the GPUs."),
        (Logs, "Collects and stores the logs of all containers."),
        (ModelFile, "Adds an engine that serves the model of the file MODEL_FILE under the name MODEL_NAME; unless they are set, a test model with meaningless output."),
        (HuggingFace, "Adds an engine that serves a model of Hugging Face on the NVIDIA GPUs; needs the NVIDIA Container Toolkit."),
        (Cluster, "Runs several replicas, which admit requests together through a store."),
    ];

    /// <summary>The options that a resource belongs to; none where it is always there.</summary>
    public static IEnumerable<PublishedOptionAnnotation> Of(IResource resource) => resource.Annotations.OfType<PublishedOptionAnnotation>();
}
