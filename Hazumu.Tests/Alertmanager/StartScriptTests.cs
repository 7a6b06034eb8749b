using Hazumu.Testing;

namespace Hazumu.Tests.Alertmanager;

/// <summary>A container of Alertmanager's image that only waits, to run the script in.</summary>
public sealed class IdleAlertmanager : IAsyncLifetime
{
    private string? _id;

    /// <summary>Runs <c>start.sh --check</c>, and prints the configuration that it made.</summary>
    /// <param name="secrets">The secrets that have content.</param>
    /// <param name="variables">Environment variables: <c>EMAIL_TO=ops@example.org</c>.</param>
    /// <param name="before">What the shell does first, in the folder with the secrets.</param>
    public Task<CliResult> CheckAsync(IEnumerable<string> secrets, IEnumerable<string> variables, string before = ":") => ContainerCli.RunAsync(
    [
        "exec", .. variables.SelectMany(variable => new[] { "--env", variable }), _id!, "/bin/sh", "-c",
        $$"""
        set -eu
        export ALERTMANAGER_SECRETS=$(mktemp -d)
        cd "$ALERTMANAGER_SECRETS"
        for name in {{string.Join(' ', secrets)}}; do echo https://example.org/secret > "alertmanager_$name"; done
        {{before}}
        /bin/sh /etc/alertmanager/start.sh --check
        cat /tmp/alertmanager/alertmanager.yml /tmp/alertmanager/templates/*
        """,
    ]);

    public async ValueTask InitializeAsync()
    {
        if (Component.Alertmanager.Missing is null)
        {
            _id = await ContainerCli.RunOrThrowAsync(
                "run", "--detach", "--network", "none", "--volume", $"{RepositoryRoot.Combine("alertmanager")}:/etc/alertmanager:ro",
                "--entrypoint", "/bin/sleep", Component.Alertmanager.Image, "600");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_id is not null)
        {
            await ContainerCli.RunOrThrowAsync("rm", "--force", "--volumes", _id);
        }
    }
}

/// <summary>The configuration that <c>alertmanager/start.sh</c> makes of what is set up, by Alertmanager's own checker.</summary>
public sealed class StartScriptTests(IdleAlertmanager alertmanager) : IClassFixture<IdleAlertmanager>
{
    private static readonly string[] s_email = ["EMAIL_TO=ops@example.org, boss@example.org", "EMAIL_FROM=hazumu@example.org", "EMAIL_SERVER=mail.example.org:587"];

    /// <summary>Every combination: webhook, heartbeat, Slack (with a channel), e-mail (with a user).</summary>
    public static TheoryData<bool, bool, string, string> Combinations()
    {
        var combinations = new TheoryData<bool, bool, string, string>();
        foreach (var webhook in new[] { false, true })
        {
            foreach (var heartbeat in new[] { false, true })
            {
                foreach (var slack in new[] { "no", "yes", "channel" })
                {
                    foreach (var email in new[] { "no", "yes", "user" })
                    {
                        combinations.Add(webhook, heartbeat, slack, email);
                    }
                }
            }
        }

        return combinations;
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task Every_combination_of_receivers_is_a_valid_configuration(bool webhook, bool heartbeat, string slack, string email)
    {
        Skip.IfMissing(Component.Alertmanager);

        var secrets = new List<string>();
        var variables = new List<string>();
        Add(webhook, "webhook_url");
        Add(heartbeat, "heartbeat_url");
        Add(slack != "no", "slack_url");
        Add(email == "user", "email_password");
        variables.AddRange(slack == "channel" ? ["SLACK_CHANNEL=#ops"] : []);
        variables.AddRange(email == "no" ? [] : email == "yes" ? s_email : [.. s_email, "EMAIL_USER=hazumu"]);

        var result = await alertmanager.CheckAsync(secrets, variables);

        Assert.True(result.Succeeded, result.Output);
        Assert.Contains("SUCCESS", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("${", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("#?", result.Output, StringComparison.Ordinal);
        foreach (var (isThere, text) in new[]
        {
            (webhook, "alertmanager_webhook_url"), (heartbeat, "alertmanager_heartbeat_url"), (slack != "no", "slack_configs:"), (slack == "channel", "channel: \"#ops\""),
            (email != "no", "to: \"ops@example.org, boss@example.org\""), (email == "user", "auth_username: \"hazumu\""), (email == "user", "alertmanager_email_password"),
        })
        {
            Assert.True(isThere == result.Output.Contains(text, StringComparison.Ordinal), $"{text}:\n{result.Output}");
        }

        void Add(bool isSet, string name)
        {
            if (isSet)
            {
                secrets.Add(name);
            }
        }
    }

    [Theory]
    [InlineData("Hazumu:Alertmanager:EmailTo is set, but not EmailServer, the mail server as host:port.", "EMAIL_TO=a@b", "EMAIL_FROM=a@b")]
    [InlineData("Hazumu:Alertmanager:EmailTo is set, but not EmailFrom, the sender's address.", "EMAIL_TO=a@b", "EMAIL_SERVER=m:25")]
    [InlineData("Hazumu:Alertmanager:EmailUser is set, but not EmailPasswordFile, a file with that user's password.", "EMAIL_TO=a@b", "EMAIL_FROM=a@b", "EMAIL_SERVER=m:25", "EMAIL_USER=u")]
    [InlineData("Hazumu:Alertmanager:EmailTls is 'maybe'; allowed: true, false.", "EMAIL_TO=a@b", "EMAIL_FROM=a@b", "EMAIL_SERVER=m:25", "EMAIL_TLS=maybe")]
    [InlineData("Hazumu:Alertmanager:SlackChannel has a line break or another control character; remove it.", "SLACK_CHANNEL=a\nb")]
    [InlineData("Hazumu:Alertmanager:SlackUrlFile is './secrets/slack', but this file does not exist; correct the path.", "ALERTMANAGER_SLACK_URL_FILE=./secrets/slack")]
    public async Task A_setting_that_cannot_work_is_refused_with_a_sentence(string expected, params string[] variables)
    {
        Skip.IfMissing(Component.Alertmanager);

        var result = await alertmanager.CheckAsync([], variables);

        Assert.Equal((1, $"Alertmanager is not started: {expected}"), (result.ExitCode, result.Output.Trim()));
    }

    [Theory]
    [InlineData(@"CORP\svc-mail", @"auth_username: ""CORP\\svc-mail""")]
    [InlineData("r&d@x", @"auth_username: ""r&d@x""")]
    [InlineData("a/b|c", @"auth_username: ""a/b|c""")]
    [InlineData("say \"hi\" to ${EMAIL_TO} and $HOME `id` {{ . }}", "auth_username: \"say \\\"hi\\\" to ${EMAIL_TO} and $HOME `id` {{ . }}\"")]
    [InlineData("Jürgen 🙂", "auth_username: \"Jürgen 🙂\"")]
    public async Task A_mail_user_may_have_any_name(string user, string line)
    {
        Skip.IfMissing(Component.Alertmanager);

        var result = await alertmanager.CheckAsync(["email_password"], [.. s_email, $"EMAIL_USER={user}"]);

        Assert.True(result.Succeeded, result.Output);
        Assert.Contains(line, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_channel_cannot_be_a_template_or_another_setting()
    {
        Skip.IfMissing(Component.Alertmanager);

        var result = await alertmanager.CheckAsync(["slack_url"], ["SLACK_CHANNEL=#{{ .Status }}\", api_url: \"http://x"]);

        Assert.True(result.Succeeded, result.Output);
        Assert.Contains("channel: \"#{{ \\\"{{\\\" }} .Status }}\\\", api_url: \\\"http://x\"", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mkdir alertmanager_webhook_url", "which is a folder; name a file.")]
    [InlineData(": > alertmanager_webhook_url", "which is empty; write the secret into it, or remove the setting.")]
    [InlineData("printf '\\r\\n' > alertmanager_webhook_url", "which is empty; write the secret into it, or remove the setting.")]
    public async Task A_receiver_that_is_set_needs_a_secret(string before, string sentence)
    {
        Skip.IfMissing(Component.Alertmanager);

        var result = await alertmanager.CheckAsync([], ["ALERTMANAGER_WEBHOOK_URL_FILE=./secrets/hook"], before);

        Assert.Equal((1, $"Alertmanager is not started: Hazumu:Alertmanager:WebhookUrlFile is './secrets/hook', {sentence}"), (result.ExitCode, result.Output.Trim()));
    }

    [Fact]
    public async Task A_secret_that_cannot_be_read_is_refused()
    {
        Skip.IfMissing(Component.Alertmanager);

        var result = await alertmanager.CheckAsync(["webhook_url"], [], before: "chmod 000 alertmanager_webhook_url");

        Assert.Equal(1, result.ExitCode);
        Assert.Matches("^Alertmanager is not started: user [0-9]+, who it runs as, may not read the file of Hazumu:Alertmanager:WebhookUrlFile; give the file to that user", result.Output);
    }
}
