using Hazumu.Testing;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Hazumu.Tests.Configuration;

/// <summary>Reads YAML of the checkout, or of an absolute path; what the type does not name is passed over.</summary>
internal static class ConfigurationFile
{
    public static T ReadUnderscored<T>(params string[] path) => Read<T>(UnderscoredNamingConvention.Instance, path);

    public static T ReadCamelCase<T>(params string[] path) => Read<T>(CamelCaseNamingConvention.Instance, path);

    private static T Read<T>(INamingConvention names, string[] path) => new DeserializerBuilder()
        .WithNamingConvention(names)
        .IgnoreUnmatchedProperties()
        .Build()
        .Deserialize<T>(File.ReadAllText(RepositoryRoot.Combine(path)));
}
