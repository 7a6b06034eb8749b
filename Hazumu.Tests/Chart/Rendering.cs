using System.Collections.Concurrent;
using k8s;
using k8s.Models;

namespace Hazumu.Tests.Chart;

/// <summary>The objects of a release, as the API server would get them.</summary>
internal sealed class Rendering
{
    /// <summary>The release's namespace.</summary>
    public const string Namespace = "inference";

    private static readonly ConcurrentDictionary<(string Values, string Namespace), Lazy<Task<Rendering>>> s_known = new();

    private Rendering(IReadOnlyList<string> documents) => Documents = documents;

    /// <summary>The objects as text.</summary>
    public IReadOnlyList<string> Documents { get; }

    /// <summary>
    /// The objects as the Kubernetes API knows them. Read strictly: a field that the API lacks or a value of another type throws. Without
    /// those that a custom resource definition brings.
    /// </summary>
    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects => field ??=
    [
        .. Documents
            .Where(document => !document.Contains("\napiVersion: gateway.networking.k8s.io/", StringComparison.Ordinal))
            .SelectMany(document => KubernetesYaml.LoadAllFromString(document, strict: true))
            .Cast<IKubernetesObject<V1ObjectMeta>>(),
    ];

    /// <summary>The workloads by their component.</summary>
    public IReadOnlyDictionary<string, Workload> Workloads => field ??= Objects.Select(Workload.Of).OfType<Workload>().ToDictionary(workload => workload.Service);

    /// <summary>The objects of a kind.</summary>
    public IEnumerable<T> Of<T>() => Objects.OfType<T>();

    /// <summary>The only object of a kind and a name.</summary>
    public T The<T>(string name) where T : IKubernetesObject<V1ObjectMeta> => Of<T>().Single(found => found.Metadata.Name == name);

    /// <summary>Renders the chart, once for each set of values.</summary>
    /// <param name="values">A file of the folder Values.</param>
    /// <param name="release">The release's namespace.</param>
    public static Task<Rendering> OfAsync(string values, string release = Namespace) => s_known.GetOrAdd((values, release), key => new(() => RenderAsync("hazumu", key.Values, "--namespace", key.Namespace))).Value;

    /// <summary>Renders the chart anew.</summary>
    /// <param name="release">The release's name.</param>
    /// <param name="values">A file of the folder Values.</param>
    /// <param name="arguments">Further arguments of <c>helm template</c>.</param>
    /// <exception cref="InvalidOperationException">Helm refuses; the message has its reason.</exception>
    public static async Task<Rendering> RenderAsync(string release, string values, params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-chart-");
        try
        {
            var result = await Helm.RunAsync(["template", release, ChartFolder.Folder, "--values", ChartFolder.ValuesFile(values), "--output-dir", folder.FullName, .. arguments]);
            return result.Succeeded
                ? new([.. Directory.EnumerateFiles(folder.FullName, "*.yaml", SearchOption.AllDirectories)
                    .Order(StringComparer.Ordinal)
                    .SelectMany(file => File.ReadAllText(file).Split("---\n", StringSplitOptions.RemoveEmptyEntries))
                    .Where(document => document.Contains("\nkind: ", StringComparison.Ordinal))])
                : throw new InvalidOperationException($"helm template exited with {result.ExitCode}:\n{result.Output}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}

/// <summary>What makes pods.</summary>
internal sealed record Workload(V1ObjectMeta Metadata, V1PodTemplateSpec Template)
{
    /// <summary>Whether its pods do something and end.</summary>
    public bool IsTask { get; init; }

    /// <summary>The component.</summary>
    public string Service => Template.Metadata.Labels["hazumu.service"];

    /// <summary>Its pods.</summary>
    public V1PodSpec Pod => Template.Spec;

    /// <summary>All of a pod's containers, those of its start first.</summary>
    public IEnumerable<V1Container> Containers => [.. Pod.InitContainers ?? [], .. Pod.Containers];

    /// <summary>A workload, where an object is one.</summary>
    public static Workload? Of(IKubernetesObject<V1ObjectMeta> found) => found switch
    {
        V1StatefulSet set => new(set.Metadata, set.Spec.Template),
        V1Deployment deployment => new(deployment.Metadata, deployment.Spec.Template),
        V1DaemonSet set => new(set.Metadata, set.Spec.Template),
        V1Job job => new(job.Metadata, job.Spec.Template) { IsTask = true },
        _ => null,
    };
}
