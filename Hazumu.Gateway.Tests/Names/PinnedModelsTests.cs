using Hazumu.Gateway.Configuration;
using Hazumu.Gateway.Names;
using Hazumu.Gateway.Tests.Configuration;
using Hazumu.Gateway.Tests.Keys;
using Hazumu.Settings;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Gateway.Tests.Names;

/// <summary>The models of <c>Gateway:PinnedModels</c>: what they mean, and what is refused.</summary>
public sealed class PinnedModelsTests
{
    [Fact]
    public void Models_are_in_the_order_of_the_list()
    {
        var models = Read([.. Enumerable.Range(0, 12).Select(at => $"PinnedModels:{at}:Model=m{at}")]);

        Assert.Equal(Enumerable.Range(0, 12).Select(at => $"m{at}:latest"), models.Select(pin => pin.Model.FullName));
    }

    [Fact]
    public void An_engine_means_each_of_its_instances()
    {
        var pin = Assert.Single(Read("PinnedModels:0:Model=m", "PinnedModels:0:Engines=gpu-*, old", "Engines:gpu-1:Url=http://a", "Engines:old:Url=http://b"));

        Assert.True(pin.IsFor("gpu-1"));
        Assert.True(pin.IsFor("gpu-2@10.0.0.1"));
        Assert.True(pin.IsFor("old@10.0.0.1"));
        Assert.False(pin.IsFor("older"));
    }

    [Theory]
    [InlineData("2026-06-10T05:29:59Z", null)]
    [InlineData("2026-06-10T05:30:00Z", "2026-06-10T15:30:00Z")]
    [InlineData("2026-06-10T15:29:59Z", "2026-06-10T15:30:00Z")]
    [InlineData("2026-06-10T15:30:00Z", null)]
    [InlineData("2026-06-13T06:00:00Z", null)]
    [InlineData("2026-06-13T20:00:00Z", "2026-06-14T06:00:00Z")]
    public void A_model_with_times_is_kept_for_a_while_after_each(string now, string? until)
    {
        var pin = Assert.Single(Read(
            "TimeZone=Europe/Berlin", "PinnedModels:0:Model=m", "PinnedModels:0:LoadAt=07:30 mon-fri, 22:00 sat", "PinnedModels:0:KeepFor=10h"));

        var expected = until is null ? (DateTimeOffset?)null : DateTimeOffset.Parse(until, null);
        Assert.Equal(expected, pin.KeptUntil(DateTimeOffset.Parse(now, null)));
    }

    [Theory]
    [InlineData("'Gateway:PinnedModels:0:Model' is not set; give the name of a model.", "PinnedModels:0:Pull=true")]
    [InlineData("'Gateway:PinnedModels:0:Model' has control characters; give the name of a model.", "PinnedModels:0:Model=a\nb")]
    [InlineData("'Gateway:PinnedModels:0:Model' is 'team', a name of 'Gateway:ModelNames'; give the model that serves it, such as 'big'.", "PinnedModels:0:Model=team", "ModelNames:0:Name=Team", "ModelNames:0:Models:0=big")]
    [InlineData("'Gateway:PinnedModels:0:LoadAt' has '7.30'; allowed: times such as '07:30', '07:30 mon-fri' or '22:00 sat sun', separated by commas.", "PinnedModels:0:Model=m", "PinnedModels:0:LoadAt=07:30,7.30")]
    [InlineData("'Gateway:PinnedModels:0:Engines' has 'gpu-2', which is no engine; there are gpu-1, old.", "PinnedModels:0:Model=m", "PinnedModels:0:Engines=gpu-1,gpu-2", "Engines:gpu-1:Url=http://a", "Engines:old:Url=http://b")]
    [InlineData("'Gateway:PinnedModels:0:Instances' is '0'; allowed: a number from 1 to 1000.", "PinnedModels:0:Model=m", "PinnedModels:0:Instances=0")]
    [InlineData("'Gateway:TimeZone' is 'Berlin'; allowed: a name of the IANA database such as 'Europe/Berlin'.", "TimeZone=Berlin")]
    public void A_wrong_entry_is_reported_in_one_sentence(string sentence, params string[] settings)
    {
        var problem = Assert.Throws<StartupProblemException>(() => Read(settings));

        Assert.Equal(sentence, Assert.Single(problem.Problems));
        Assert.Equal(2, problem.ExitCode);
    }

    [Fact]
    public void A_model_that_is_a_name_of_its_own_chain_can_be_pinned() =>
        Assert.Single(Read("PinnedModels:0:Model=big", "ModelNames:0:Name=big", "ModelNames:0:Models=big,small"));

    [Fact]
    public void A_change_takes_effect_and_a_broken_one_does_not()
    {
        using var file = new SettingsFile("PinnedModels:0:Model=a");
        var log = new KeptLog<GatewaySettings>();
        using var settings = new GatewaySettings(() => new ConfigurationBuilder().AddJsonFile(file.FullPath).Build(), [file.FullPath], log);
        var models = new PinnedModels(settings);

        file.Write("""{"Gateway": {"PinnedModels": [{"Model": "b"}]}}""");
        settings.ReloadIfChanged();
        Assert.Equal("b", Assert.Single(models.All).Model.Name);

        file.Write("""{"Gateway": {"PinnedModels": [{"Model": "c", "LoadAt": ["noon"]}]}}""");
        settings.ReloadIfChanged();
        Assert.Equal("b", Assert.Single(models.All).Model.Name);
        Assert.Contains("'Gateway:PinnedModels:0:LoadAt' has 'noon'", Assert.Single(log.Errors), StringComparison.Ordinal);
    }

    private static IReadOnlyList<PinnedModel> Read(params string[] settings) => PinnedModels.Read(GatewaySettings.Read(new ConfigurationBuilder()
        .AddInMemoryCollection(settings.Select(setting => setting.Split('=', 2)).Select(parts => KeyValuePair.Create($"Gateway:{parts[0]}", (string?)parts[1])))
        .Build()));
}
