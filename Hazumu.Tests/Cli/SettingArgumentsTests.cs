using Hazumu.Cli;
using Hazumu.Cli.Images;

namespace Hazumu.Tests.Cli;

public sealed class SettingArgumentsTests
{
    [Fact]
    public void Settings_become_environment_variables()
    {
        var arguments = SettingArguments.Read(["--Hazumu:Grafana:Port", "3001", "--hazumu:models=a:b,c=d", "--Logging:LogLevel:Default=Debug"]);

        Assert.Equal(["--Hazumu:Grafana:Port=3001", "--hazumu:models=a:b,c=d", "--Logging:LogLevel:Default=Debug"], arguments.All);
        Assert.Equal([new("Hazumu__Grafana__Port", "3001"), new("Hazumu__models", "a:b,c=d")], arguments.Variables);
    }

    [Fact]
    public void Last_spelling_of_a_setting_wins()
    {
        var arguments = SettingArguments.Read(["--Hazumu:Gpu=none", "--hazumu:gpu=amd"]);

        Assert.Equal("amd", Assert.Single(arguments.Variables).Value);
    }

    [Fact]
    public void Settings_in_both_forms_are_separated_from_other_arguments()
    {
        var (settings, others) = SettingArguments.Split(["create", "--hazumu:gateway:keysfile", "/x", "--name", "a", "--Hazumu:Gpu=none"]);

        Assert.Equal(["create", "--name", "a"], others);
        Assert.Equal(["--hazumu:gateway:keysfile=/x", "--Hazumu:Gpu=none"], settings.All);
    }

    [Theory]
    [InlineData("/argument", "--hazumu:gateway:keysfile=/argument")]
    [InlineData("/variable")]
    public void Keys_file_is_found_in_any_case(string expected, params string[] arguments) =>
        Assert.Equal(expected, GatewayCommands.FindKeysFile(SettingArguments.Read(arguments), new Dictionary<string, string> { ["HAZUMU__GATEWAY__KEYSFILE"] = "/variable" }));

    [Theory]
    [InlineData("'up' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).", "up")]
    [InlineData("'--verbose' is not an option; give settings as --Hazumu:Key=value (docs/settings.md lists them).", "--verbose")]
    [InlineData("'--Hazumu:Gpu' has no value; write --Hazumu:Gpu=value.", "--Hazumu:Gpu")]
    [InlineData("'--Hazumu:Gpu' has no value; write --Hazumu:Gpu=value.", "--Hazumu:Gpu", "--Hazumu:Production=true")]
    public void Argument_that_is_no_setting_is_wrong_usage(string expected, params string[] arguments)
    {
        var problem = Assert.Throws<CliException>(() => SettingArguments.Read(arguments));

        Assert.Equal((2, expected), (problem.ExitCode, problem.Message));
    }

    [Fact]
    public void Doctor_finds_the_settings_of_the_last_start_that_it_needs()
    {
        var folder = Directory.CreateTempSubdirectory("hazumu-cli-");
        try
        {
            var checkout = new Checkout(folder.FullName);
            Assert.Empty(RememberedSettings.Read(checkout));

            RememberedSettings.Write(checkout, new Dictionary<string, string> { ["Hazumu__Grafana__Port"] = "3001", ["Hazumu__CAdvisor__Enabled"] = "false", ["Hazumu__Alertmanager__SlackUrlFile"] = "/secret", ["Hazumu__BindAddress"] = "0.0.0.0" });

            Assert.Equal(["Hazumu__BindAddress=0.0.0.0", "Hazumu__CAdvisor__Enabled=false", "Hazumu__Grafana__Port=3001"], RememberedSettings.Read(checkout).Select(setting => $"{setting.Key}={setting.Value}").Order(StringComparer.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
