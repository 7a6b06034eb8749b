using Hazumu.Hosting.Publishing;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Aspire.Hosting;

/// <summary>Provides the extension method that gives published containers the GPUs.</summary>
internal static class GpuFormExtensions
{
    /// <summary>Gives a published container all GPUs in the options <c>nvidia</c> and <c>amd</c>.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="changeForAmd">Writes what the container needs in <c>amd</c> beside the devices, as in
    /// <see cref="PublishedFormAnnotation"/>.</param>
    public static IResourceBuilder<T> WithPublishedGpus<T>(this IResourceBuilder<T> builder, Action<YamlMappingNode, YamlMappingNode>? changeForAmd = null) where T : IComputeResource => builder
        .WithComposeForm(PublishedOptionAnnotation.Nvidia, (service, _) =>
        {
            var resources = new YamlMappingNode("reservations", new YamlMappingNode("devices", new YamlSequenceNode(new YamlMappingNode
            {
                { "driver", Quoted("nvidia") },
                { "count", Quoted("all") },
                { "capabilities", new YamlSequenceNode(Quoted("gpu")) },
            })));
            if (service.Children.TryGetValue("deploy", out var limited))
            {
                resources.Add("limits", limited["resources"]["limits"]);
            }

            service.Children["deploy"] = new YamlMappingNode("resources", resources);
        })
        .WithComposeForm(PublishedOptionAnnotation.Amd, (service, services) =>
        {
            // The devices belong to root and to groups whose numbers differ between hosts.
            service.Children["user"] = Quoted(PublishedConfinementAnnotation.Root);
            changeForAmd?.Invoke(service, services);
            service.Add("devices", new YamlSequenceNode(Quoted("/dev/kfd"), Quoted("/dev/dri")));
        });
}
