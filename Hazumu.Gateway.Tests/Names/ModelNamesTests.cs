using System.Collections.Frozen;
using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Tests.Configuration;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Settings;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Gateway.Tests.Names;

/// <summary>The names of <c>Gateway:ModelNames</c>: what they mean, and what is refused.</summary>
public sealed class ModelNamesTests
{
    [Fact]
    public void Names_that_serve_a_name_are_replaced_by_their_models()
    {
        var names = Read(("0:Name", "team"), ("0:Models:0", "big"), ("0:Models:1", "small:1b"), ("1:Name", "Big"), ("1:Models", "big, medium, small:1b"), ("1:QueueLongerThan", "8"));

        Assert.Equal(["big:latest", "medium:latest", "small:1b"], names["team:latest"].FullNames);
        Assert.Equal(["big:latest", "medium:latest", "small:1b"], names["big:latest"].FullNames);
        Assert.Equal(["big", "medium", "small:1b"], names["big:latest"].Models.Select(model => model.Name));
        Assert.Equal(((int?)null, (int?)8), (names["team:latest"].QueueLongerThan, names["big:latest"].QueueLongerThan));
    }

    [Fact]
    public void A_name_behind_another_model_in_its_own_chain_is_the_model() =>
        Assert.Equal(["new:latest", "old:latest"], Read(("0:Name", "old"), ("0:Models:0", "new"), ("0:Models:1", "old"))["old:latest"].FullNames);

    [Theory]
    [InlineData("'Gateway:ModelNames:0:Name' is not set; give the name that clients use.", "0:Models:0=a")]
    [InlineData("'Gateway:ModelNames:0:Name' has control characters; give the name that clients use.", "0:Name=a\nb", "0:Models:0=a")]
    [InlineData("'Gateway:ModelNames:0:Models' is empty; list the models that serve 'x', the first choice first.", "0:Name=x")]
    [InlineData("'Gateway:ModelNames:0:Models' has a name that is empty; give the name of a model.", "0:Name=x", "0:Models:0=a", "0:Models:1=")]
    [InlineData("'Gateway:ModelNames:1:Name' is 'X:latest', which 'Gateway:ModelNames:0' has already; put all models of a name into one entry.", "0:Name=x", "0:Models:0=a", "1:Name=X:latest", "1:Models:0=b")]
    [InlineData("'Gateway:ModelNames' has a circle: x → y → x; a name may be served by another name, but not by itself, directly or through others.", "0:Name=y", "0:Models:0=x", "1:Name=x", "1:Models:0=a", "1:Models:1=y")]
    [InlineData("'Gateway:ModelNames' has a circle: x → y → z → x; a name may be served by another name, but not by itself, directly or through others.", "0:Name=x", "0:Models:0=y", "1:Name=y", "1:Models:0=z", "2:Name=z", "2:Models:0=x", "3:Name=w", "3:Models:0=y")]
    [InlineData("'Gateway:ModelNames:0:QueueLongerThan' is '-1'; allowed: a number from 0 to 1000000.", "0:Name=x", "0:Models:0=a", "0:QueueLongerThan=-1")]
    [InlineData("'Gateway:ModelNames:0:Shares' is '95'; give a number for each of the 2 models, one of them above 0.", "0:Name=x", "0:Models=a,b", "0:Shares=95")]
    [InlineData("'Gateway:ModelNames:0:Shares' is '0,0'; give a number for each of the 2 models, one of them above 0.", "0:Name=x", "0:Models=a,b", "0:Shares=0,0")]
    [InlineData("'Gateway:ModelNames:0:Shares' is a section; allowed: as many numbers from 0 to 1000000 as there are models, separated by commas.", "0:Name=x", "0:Models=a,b", "0:Shares:0=95%", "0:Shares:1=5%")]
    [InlineData("Unknown setting 'Gateway:ModelNames:0:Model' with the value 'a'; 'Gateway:ModelNames:0' has Name, Models, Shares, QueueLongerThan, List.", "0:Name=x", "0:Model=a")]
    public void A_wrong_entry_is_reported_in_one_sentence(string sentence, params string[] settings)
    {
        var problem = Assert.Throws<StartupProblemException>(() => Read([.. settings.Select(setting => (setting[..setting.IndexOf('=')], setting[(setting.IndexOf('=') + 1)..]))]));

        Assert.Equal(sentence, Assert.Single(problem.Problems));
        Assert.Equal(2, problem.ExitCode);
    }

    [Theory]
    [InlineData(95, 5)]
    [InlineData(1, 2)]
    [InlineData(0, 1)]
    [InlineData(999, 1)]
    public void Requests_of_no_conversation_are_divided_exactly(int first, int second)
    {
        var chain = Read(("0:Name", "x"), ("0:Models", "a,b,c"), ("0:Shares", $"{first},{second},0"))["x:latest"];

        const int Requests = 100_000;
        var begun = Enumerable.Range(0, Requests).Select(_ => chain.FullNamesFor(affinity: 0)).ToList();

        Assert.InRange(begun.Count(models => models[0] == "b:latest") - ((double)Requests * second / (first + second)), -4, 4);
        Assert.All(begun.Where(models => models[0] == "b:latest"), models => Assert.Equal(["b:latest", "a:latest", "c:latest"], models));
        Assert.DoesNotContain(begun, models => models[0] == "c:latest");
    }

    [Fact]
    public void A_conversation_stays_with_its_model_and_conversations_are_divided()
    {
        var chain = Read(("0:Name", "x"), ("0:Models", "a,b"), ("0:Shares", "95,5"))["x:latest"];

        var begun = Enumerable.Range(1, 100_000).Select(conversation => chain.FullNamesFor((ulong)conversation * 7_919)[0]).ToList();

        // Ten standard deviations.
        Assert.InRange(begun.Count(model => model == "b:latest"), 4_300, 5_700);
        Assert.Equal(begun, Enumerable.Range(1, 100_000).Select(conversation => chain.FullNamesFor((ulong)conversation * 7_919)[0]));
    }

    [Fact]
    public void Shares_of_a_name_hold_for_names_that_it_serves()
    {
        var names = Read(
            ("0:Name", "canary"), ("0:Models", "a,b"), ("0:Shares", "90,10"),
            ("1:Name", "alias"), ("1:Models", "canary"),
            ("2:Name", "half"), ("2:Models", "c,canary"), ("2:Shares", "1,1"));

        Assert.Equal([0.9, 0.1], names["alias:latest"].Models.Select(model => model.Share));
        Assert.Equal([0.5, 0.45, 0.05], names["half:latest"].Models.Select(model => Math.Round(model.Share, 9)));
    }

    [Fact]
    public void A_change_takes_effect_and_a_broken_one_does_not()
    {
        using var file = new SettingsFile("ModelNames:0:Name=x", "ModelNames:0:Models:0=a");
        var log = new KeptLog<GatewaySettings>();
        using var settings = new GatewaySettings(() => new ConfigurationBuilder().AddJsonFile(file.FullPath).Build(), [file.FullPath], log);
        var names = new ModelNames(settings);

        file.Write("""{"Gateway": {"ModelNames": [{"Name": "y", "Models": ["b", "c"], "List": true}]}}""");
        settings.ReloadIfChanged();
        Assert.Null(names.Find("x:latest"));
        Assert.Equal(["b:latest", "c:latest"], names.Find("y:latest")!.FullNames);
        Assert.True(names.Find("y:latest")!.IsListed);

        file.Write("""{"Gateway": {"ModelNames": [{"Name": "z"}]}}""");
        settings.ReloadIfChanged();
        Assert.NotNull(names.Find("y:latest"));
        Assert.Contains("'Gateway:ModelNames:0:Models' is empty", Assert.Single(log.Errors), StringComparison.Ordinal);
    }

    private static FrozenDictionary<string, NamedChain> Read(params (string Key, string Value)[] values) => ModelNames.Read(GatewaySettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(value => KeyValuePair.Create($"Gateway:ModelNames:{value.Key}", (string?)value.Value))).Build()));
}
