using System.Reflection;
using Aspire.Hosting.ApplicationModel;

namespace Hazumu.Tests.Model;

/// <summary>Holds <c>eng/ToolkitStandIn</c> to the API of the Toolkit that it stands in for.</summary>
public sealed class ToolkitStandInTests
{
    private const string StandIn = "ToolkitStandIn";

    [Fact]
    public void The_Toolkit_has_every_public_member_of_the_stand_in()
    {
        Assert.SkipWhen(typeof(OllamaResource).Assembly.GetName().Name == StandIn, "CommunityToolkit.Aspire.Hosting.Ollama is not here to compare with: this is built with HazumuToolkitStandIn=true.");

        var toolkit = typeof(OllamaResource).Assembly;
        var types = Assembly.Load(StandIn).GetExportedTypes();

        Assert.NotEmpty(types);
        Assert.All(types, type =>
        {
            var original = toolkit.GetType(type.FullName!);
            Assert.True(original is not null, $"The Toolkit has no public type '{type.FullName}'.");
            Assert.Subset(Signatures(original).ToHashSet(), Signatures(type).ToHashSet());
        });
    }

    private static IEnumerable<string> Signatures(Type type) =>
        type.GetMembers(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy).Select(member => member.ToString()!);
}
