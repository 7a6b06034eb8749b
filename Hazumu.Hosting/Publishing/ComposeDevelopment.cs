using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;
using static Hazumu.Hosting.Publishing.ComposeFiles;

namespace Hazumu.Hosting.Publishing;

/// <summary>
/// The published application's development form: further Compose files that publish every port on loopback, take the
/// edge out and set what production refuses.
/// </summary>
internal sealed partial class ComposeDevelopment
{
    private const string Name = $"docker-compose.{PublishedFormAnnotation.Development}";

    private readonly Dictionary<string, YamlMappingNode> _files = [];

    /// <summary>Reads the parts of the form before production's form removes them.</summary>
    /// <param name="root">The Compose file, as far as every form has the same.</param>
    /// <param name="resources">The resources whose services it has.</param>
    public ComposeDevelopment(YamlMappingNode root, IReadOnlyList<IResource> resources)
    {
        foreach (var resource in resources)
        {
            var ports = ((YamlSequenceNode)root["services"][resource.Name]["ports"]).Select(port => ((YamlScalarNode)port).Value!).ToList();
            var forms = PublishedOptionAnnotation.Of(resource).ToList();
            if (forms.Count == 0)
            {
                AddService(ServicesOf($"{Name}.yaml"), resource, ports);
            }

            // Several replicas cannot have the same port of loopback: their option has no development form.
            foreach (var form in forms.Where(form => form.Option != PublishedOptionAnnotation.Cluster))
            {
                ServicesOf($"{Name}.{form.Option}.yaml").MappingAt(resource.Name).Add("ports", Ports(form.Port is null ? ports : ports.Select(port => TargetPort().Replace(port, $":{form.Port}"))));
            }

            foreach (var option in resource.Annotations.OfType<PublishedFormAnnotation>().Select(annotation => annotation.Form.Split('.')).Where(form => form is [PublishedFormAnnotation.Development, _]).Select(form => form[1]).Distinct())
            {
                PublishedFormAnnotation.Apply(resource, $"{PublishedFormAnnotation.Development}.{option}", ServicesOf($"{Name}.{option}.yaml"));
            }
        }
    }

    /// <summary>Writes the files.</summary>
    public async Task WriteAsync(string folder, CancellationToken cancellationToken)
    {
        foreach (var (name, root) in _files)
        {
            var purpose = name == $"{Name}.yaml"
                ? "For development: every port on loopback, a known password, optional keys, and no edge."
                : "The part of that option in the development form.";
            await ComposeFiles.WriteAsync(Path.Combine(folder, name), $"# {purpose}\n", root, cancellationToken);
        }
    }

    private YamlMappingNode ServicesOf(string file)
    {
        if (!_files.TryGetValue(file, out var root))
        {
            _files.Add(file, root = []);
        }

        return root.MappingAt("services");
    }

    private void AddService(YamlMappingNode services, IResource resource, List<string> ports)
    {
        var service = services.MappingAt(resource.Name);
        if (ProductionOnlyAnnotation.Of(resource))
        {
            RestrictToProduction(service);
            RestrictToProduction(services.MappingAt(ComposeProduction.VolumeService(resource)));
            return;
        }

        service.Add("ports", Ports(ports));
        PublishedFormAnnotation.Apply(resource, PublishedFormAnnotation.Development, services);
        foreach (var secret in resource.Annotations.OfType<PublishedSecretAnnotation>().Where(secret => secret.IsRequired))
        {
            _files[$"{Name}.yaml"].MappingAt("secrets").Add(secret.Name, new YamlMappingNode { { "file", Quoted(PublishedSecretAnnotation.Nothing) } });
        }
    }

    // No profile of this name is ever requested.
    private static void RestrictToProduction(YamlMappingNode service) => service.Add("profiles", new YamlSequenceNode(Quoted("production")));

    private static YamlSequenceNode Ports(IEnumerable<string> ports) => new(ports.Select(Quoted));

    [GeneratedRegex(@":\d+$")]
    private static partial Regex TargetPort();
}
