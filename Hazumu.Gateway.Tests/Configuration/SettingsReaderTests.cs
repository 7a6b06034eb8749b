using System.ComponentModel.DataAnnotations;
using Hazumu.Settings;
using Microsoft.Extensions.Configuration;

namespace Hazumu.Gateway.Tests.Configuration;

/// <summary>What the gateway's settings need of the reader: durations, names of the user's own, switches, numbers that may be absent.</summary>
public class SettingsReaderTests
{
    [Fact]
    public void Values_are_read_into_their_types()
    {
        var sample = Read(("Wait", "90s"), ("Count", "7"), ("Maybe", "3"), ("IsOn", "TRUE"), ("Path", "/x"), ("Nested:Wait", "2h"));

        Assert.Equal(TimeSpan.FromSeconds(90), sample.Wait);
        Assert.Equal(7, sample.Count);
        Assert.Equal(3, sample.Maybe);
        Assert.True(sample.IsOn);
        Assert.Equal("/x", sample.Path);
        Assert.Equal(TimeSpan.FromHours(2), sample.Nested.Wait);
    }

    [Fact]
    public void A_setting_that_is_not_set_keeps_its_default()
    {
        var sample = Read();

        Assert.Equal(TimeSpan.FromSeconds(1), sample.Wait);
        Assert.Null(sample.Maybe);
        Assert.Empty(sample.Names);
    }

    [Fact]
    public void Nothing_takes_a_value_away_that_may_be_absent() => Assert.Null(Read(("Maybe", ""), ("Path", "")).Maybe);

    [Fact]
    public void Names_of_the_users_own_have_values_or_sections()
    {
        var sample = Read(("Names:gpu-1", "one"), ("Names:GPU-2", "two"), ("Sections:x:Wait", "5s"), ("Sections:x:Text", "y"), ("Sections:x:Word", "two-words"), ("Sections:z:Text", ""));

        Assert.Equal("one", sample.Names["gpu-1"]);
        Assert.Equal("two", sample.Names["gpu-2"]);
        Assert.Equal(TimeSpan.FromSeconds(5), sample.Sections["x"].Wait);
        Assert.Equal("y", sample.Sections["x"].Text);
        Assert.Equal(Word.TwoWords, sample.Sections["x"].Word);
        Assert.Null(sample.Sections["z"].Text);
    }

    [Theory]
    [InlineData("Wait", "soon", "'Sample:Wait' is 'soon'; allowed: a duration.")]
    [InlineData("Wait", "90", "'Sample:Wait' is '90'; allowed: a duration.")]
    [InlineData("Count", "eleven", "'Sample:Count' is 'eleven'; allowed: 1 to 10.")]
    [InlineData("Count", "11", "'Sample:Count' is '11'; allowed: 1 to 10.")]
    [InlineData("Count", "-1", "'Sample:Count' is '-1'; allowed: 1 to 10.")]
    [InlineData("Count", "1e1", "'Sample:Count' is '1e1'; allowed: 1 to 10.")]
    [InlineData("Count", "", "'Sample:Count' is ''; allowed: 1 to 10.")]
    [InlineData("Maybe", "0", "'Sample:Maybe' is '0'; allowed: 1 and more.")]
    [InlineData("IsOn", "yes", "'Sample:IsOn' is 'yes'; allowed: true, false.")]
    [InlineData("Names:x", "wrong", "'Sample:Names:x' is 'wrong'; allowed: not wrong.")]
    [InlineData("Names:x", "", "'Sample:Names:x' is ''; allowed: not wrong.")]
    [InlineData("Names:x:y", "z", "'Sample:Names:x' is a section; allowed: not wrong.")]
    [InlineData("Names", "x", "'Sample:Names' is 'x'; it is a section whose keys are names of your own, as in 'Sample:Names:name'.")]
    [InlineData("Sections:x:Wait", "soon", "'Sample:Sections:x:Wait' is 'soon'; allowed: a duration.")]
    [InlineData("Sections:x", "y", "'Sample:Sections:x' is 'y'; it is a section with Wait, Text, Word.")]
    [InlineData("Parts:x:Text", "y", "'Sample:Parts' is 'Sample:Sections' now; it has a section for each name, with Wait, Text, Word.")]
    [InlineData("Sections:x:Word", "1", "'Sample:Sections:x:Word' is '1'; allowed: single, two-words.")]
    [InlineData("Sections:x:Word", "TwoWords", "'Sample:Sections:x:Word' is 'TwoWords'; allowed: single, two-words.")]
    [InlineData("Nested", "y", "'Sample:Nested' is 'y'; it is a section with Wait, Text, Word.")]
    [InlineData("Count:x", "5", "'Sample:Count' is a section; allowed: 1 to 10.")]
    [InlineData("Cuont", "5", "Unknown setting 'Sample:Cuont' with the value '5'; 'Sample' has Wait, Count, Maybe, IsOn, Path, Names, Sections, Nested.")]
    [InlineData("Nested:Wiat", "5", "Unknown setting 'Sample:Nested:Wiat' with the value '5'; 'Sample:Nested' has Wait, Text, Word.")]
    [InlineData("Sections:x:Wiat", "5", "Unknown setting 'Sample:Sections:x:Wiat' with the value '5'; 'Sample:Sections:x' has Wait, Text, Word.")]
    [InlineData("ApiKee:Key", "hush", "Unknown setting 'Sample:ApiKee'; 'Sample' has Wait, Count, Maybe, IsOn, Path, Names, Sections, Nested.")]
    public void A_wrong_value_is_reported_in_one_sentence(string key, string value, string sentence)
    {
        var problem = Assert.Throws<StartupProblemException>(() => Read((key, value)));

        Assert.Equal(sentence, Assert.Single(problem.Problems));
    }

    [Theory]
    [InlineData("ApiKee")]
    [InlineData("Sections:x:Secrit")]
    [InlineData("Nested:Passwordd")]
    [InlineData("Nested:TOKEN")]
    public void A_secret_under_a_misspelt_name_stays_out_of_the_sentence(string key)
    {
        key = key.Replace("Kee", "Keyy", StringComparison.Ordinal).Replace("Secrit", "Secrett", StringComparison.Ordinal);
        var problem = Assert.Throws<StartupProblemException>(() => Read((key, "hush-hush")));

        Assert.DoesNotContain("hush", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_wrong_values_are_reported_at_once() =>
        Assert.Equal(3, Assert.Throws<StartupProblemException>(() => Read(("Wait", "x"), ("Count", "x"), ("Nested:Nope", "x"))).Problems.Count);

    [Fact]
    public void Settings_are_listed_with_their_defaults() => Assert.Equal(
        ["Sample:Wait=1s", "Sample:Count=5", "Sample:Maybe=", "Sample:IsOn=false", "Sample:Path=", "Sample:Names=", "Sample:Sections:NAME:Wait=0ms", "Sample:Sections:NAME:Text=", "Sample:Sections:NAME:Word=", "Sample:Nested:Wait=1m", "Sample:Nested:Text=", "Sample:Nested:Word="],
        SettingsReader.List("Sample", new Sample()).Select(setting => $"{setting.Key}={setting.Default}"));

    private static Sample Read(params (string Key, string Value)[] values)
    {
        var sample = new Sample();
        SettingsReader.Read(
            new ConfigurationBuilder().AddInMemoryCollection(values.Select(value => KeyValuePair.Create($"Sample:{value.Key}", (string?)value.Value))).Build().GetSection("Sample"),
            sample);
        return sample;
    }

    private sealed class Sample
    {
        [Setting("A wait", Allowed = "a duration")]
        public TimeSpan Wait { get; set; } = TimeSpan.FromSeconds(1);

        [Setting("A count", Allowed = "1 to 10")]
        [Range(1, 10)]
        public int Count { get; set; } = 5;

        [Setting("A limit", Allowed = "1 and more")]
        [Range(1, int.MaxValue)]
        public int? Maybe { get; set; }

        [Setting("A switch")]
        public bool IsOn { get; set; }

        [Setting("A path", Allowed = "a path")]
        public string? Path { get; set; }

        [Setting("Names", Allowed = "not wrong")]
        [DeniedValues("wrong")]
        public Dictionary<string, string> Names { get; set; } = new(StringComparer.OrdinalIgnoreCase);

        [Setting("Sections", Formerly = ["Parts"])]
        public Dictionary<string, Part> Sections { get; set; } = new(StringComparer.OrdinalIgnoreCase);

        public Part Nested { get; set; } = new() { Wait = TimeSpan.FromMinutes(1) };
    }

    private sealed class Part
    {
        [Setting("A wait", Allowed = "a duration")]
        public TimeSpan Wait { get; set; }

        [Setting("A text", Allowed = "a text")]
        public string? Text { get; set; }

        [Setting("A word")]
        public Word? Word { get; set; }
    }

    private enum Word
    {
        Single,
        TwoWords,
    }
}
