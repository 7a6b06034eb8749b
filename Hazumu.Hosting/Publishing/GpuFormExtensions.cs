using Hazumu.Hosting.Publishing;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Aspire.Hosting;

/// <summary>Provides the extension method that gives published containers the GPUs.</summary>
internal static class GpuFormExtensions
{
    /// <summary>Gives a published container GPUs in the options <c>nvidia</c> and <c>amd</c>.</summary>
    /// <typeparam name="T">The resource.</typeparam>
    /// <param name="builder">The resource builder.</param>
    /// <param name="devices">The GPUs, as NVIDIA's driver numbers or names them; all unless given.</param>
    /// <param name="changeForAmd">Writes what the container needs in <c>amd</c> beside the devices, as in <see cref="PublishedFormAnnotation"/>.</param>
    public static IResourceBuilder<T> WithPublishedGpus<T>(this IResourceBuilder<T> builder, IReadOnlyList<string>? devices = null, Action<YamlMappingNode, YamlMappingNode>? changeForAmd = null) where T : IComputeResource => builder
        .WithComposeForm(PublishedOptionAnnotation.Nvidia, (service, _) => service.ReserveNvidia(devices))
        .WithComposeForm(PublishedOptionAnnotation.Amd, (service, services) =>
        {
            // The devices belong to root and to groups whose numbers differ between hosts.
            service.Children["user"] = Quoted(PublishedConfinementAnnotation.Root);
            changeForAmd?.Invoke(service, services);
            service.Add("devices", new YamlSequenceNode(Quoted("/dev/kfd"), Quoted("/dev/dri")));
        });

    /// <summary>Has a published container get NVIDIA's GPUs.</summary>
    /// <param name="service">The service.</param>
    /// <param name="devices">The GPUs; all unless given.</param>
    public static void ReserveNvidia(this YamlMappingNode service, IReadOnlyList<string>? devices)
    {
        var device = new YamlMappingNode
        {
            { "driver", Quoted("nvidia") },
            { "capabilities", new YamlSequenceNode(Quoted("gpu")) },
        };
        if (devices is null)
        {
            device.Add("count", Quoted("all"));
        }
        else
        {
            device.Add("device_ids", new YamlSequenceNode(devices.Select(Quoted)));
        }

        var resources = new YamlMappingNode("reservations", new YamlMappingNode("devices", new YamlSequenceNode(device)));
        if (service.Children.TryGetValue("deploy", out var limited))
        {
            resources.Add("limits", limited["resources"]["limits"]);
        }

        service.Children["deploy"] = new YamlMappingNode("resources", resources);
    }
}
