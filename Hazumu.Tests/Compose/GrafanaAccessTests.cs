using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Hazumu.Testing;
using Hazumu.Tests.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Hazumu.Tests.Compose;

/// <summary>A POSIX shell with curl, as Grafana's image has them.</summary>
internal static class Shell
{
    /// <summary>Why a script cannot be run on this machine, or <see langword="null"/> where it can.</summary>
    public static string? Missing { get; } = OperatingSystem.IsWindows() || !(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "curl"))) ? "no shell with curl on PATH" : null;
}

/// <summary>The two scripts of <c>grafana/access</c>. Grafana itself is a stand-in that knows the few calls they make.</summary>
public sealed class GrafanaAccessTests : IDisposable
{
    private const string Password = "it's \"long\" \\ enough";

    private readonly DirectoryInfo _secrets = Directory.CreateTempSubdirectory("hazumu-grafana-");

    public GrafanaAccessTests()
    {
        Skip.If(Shell.Missing);

        Write("grafana_admin_password", Password);
        Write("grafana_secret_key", "0123456789abcdef");
    }

    public void Dispose() => _secrets.Delete(recursive: true);

    [Fact]
    public async Task Good_secrets_pass() => Assert.True((await CheckAsync()).Succeeded);

    [Theory]
    [InlineData("grafana_admin_password", null, "the file secrets/grafana_admin_password with the administrator's password does not exist; 'sh secrets.sh' creates it.")]
    [InlineData("grafana_admin_password", "", "the administrator's password in secrets/grafana_admin_password has fewer than 12 characters; 'sh secrets.sh' creates a good one if the file does not exist.")]
    [InlineData("grafana_admin_password", "hunter2", "the administrator's password in secrets/grafana_admin_password has fewer than 12 characters; 'sh secrets.sh' creates a good one if the file does not exist.")]
    [InlineData("grafana_admin_password", "Administrator", "the administrator's password in secrets/grafana_admin_password is a well-known one; 'sh secrets.sh' creates a good one if the file does not exist.")]
    [InlineData("grafana_admin_password", "changeme-changeme\n", "the administrator's password in secrets/grafana_admin_password is a well-known one; 'sh secrets.sh' creates a good one if the file does not exist.")]
    [InlineData("grafana_secret_key", "SW2YcwTIb9zpOOhoPsMm", "the key that Grafana encrypts secrets with in secrets/grafana_secret_key is a well-known one; 'sh secrets.sh' creates a good one if the file does not exist.")]
    [InlineData("grafana_secret_key", "short", "the key that Grafana encrypts secrets with in secrets/grafana_secret_key has fewer than 12 characters; 'sh secrets.sh' creates a good one if the file does not exist.")]
    public async Task Grafana_does_not_start_with_a_bad_secret(string file, string? content, string sentence)
    {
        Write(file, content);
        var check = await CheckAsync();

        Assert.False(check.Succeeded);
        Assert.Equal($"Grafana is not started: {sentence}", check.Output.Trim());
    }

    [Theory]
    [InlineData("hazumuhazumu", "is a well-known one")]
    [InlineData("secretsecret", "is a well-known one")]
    [InlineData("Administrator", "is a well-known one")]
    [InlineData("AdminPassword", "is a well-known one")]
    [InlineData("passw0rd1234", "is a well-known one")]
    [InlineData("changeme-changeme\n", "is a well-known one")]
    [InlineData("password12345", "is a well-known one")]
    [InlineData("prom-operator", "is a well-known one")]
    [InlineData("Ollama-2026-Operator", "is a well-known one")]
    [InlineData("839201746520", "is a well-known one")]
    [InlineData("aaaaaaaaaaaa", "has fewer than 5 different characters")]
    [InlineData("abababababab", "has fewer than 5 different characters")]
    [InlineData("            ", "begins or ends with a space")]
    [InlineData(" correct horse", "begins or ends with a space")]
    [InlineData("hunter2", "has fewer than 12 characters")]
    [InlineData("83920174652098127364501928374655", null)]
    [InlineData("correct horse\r\n", null)]
    [InlineData(Password, null)]
    [InlineData("correct horse", null)]
    [InlineData("my-old-password-of-1998", null)]
    public async Task Compose_and_the_chart_refuse_the_same_passwords(string password, string? why)
    {
        Write("grafana_admin_password", password);
        var compose = await CheckAsync();
        // As the init container has them.
        File.Copy(RepositoryRoot.Combine("deploy", "kubernetes", "scripts", "check-secrets.sh"), Path.Combine(_secrets.FullName, "check-secrets.sh"));
        File.Copy(RepositoryRoot.Combine("grafana", "access", "weak.sh"), Path.Combine(_secrets.FullName, "weak.sh"));
        Write("admin-user", "admin");
        Write("admin-password", password);
        Write("secret-key", "0123456789abcdef0123");
        var chart = await ProcessRunner.RunAsync("sh", [Path.Combine(_secrets.FullName, "check-secrets.sh"), _secrets.FullName]);

        Assert.Equal((why is null, why is null), (compose.Succeeded, chart.Succeeded));
        Assert.Equal(why is null ? "" : $"Grafana is not started: admin-password {why}.", chart.Output.Trim());
        Assert.Contains(why ?? "", compose.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_in_place_of_a_secret_is_named()
    {
        Write("grafana_admin_password", null);
        Directory.CreateDirectory(Path.Combine(_secrets.FullName, "grafana_admin_password"));

        Assert.Equal("Grafana is not started: secrets/grafana_admin_password is a folder, not a file; remove it and run 'sh secrets.sh'.", (await CheckAsync()).Output.Trim());
    }

    [Theory]
    [InlineData("https://llm.example/grafana/", "https://llm.example/grafana/")]
    [InlineData("https://llm.example/grafana//", "https://llm.example/grafana/")]
    [InlineData("https://llm.example", "https://llm.example/")]
    public async Task The_address_ends_in_one_slash(string address, string expected)
    {
        var run = Path.Combine(_secrets.FullName, "run.sh");
        await File.WriteAllTextAsync(run, "#!/bin/sh\necho \"$GF_SERVER_ROOT_URL\"\n");
        await ProcessRunner.RunOrThrowAsync("chmod", ["+x", run]);
        var started = await ProcessRunner.RunOrThrowAsync("sh", ["grafana/access/start.sh"], environment: new Dictionary<string, string?> { ["GRAFANA_SECRETS"] = _secrets.FullName, ["GRAFANA_RUN"] = run, ["GF_SERVER_ROOT_URL"] = address });

        Assert.Equal(expected, started);
    }

    [Theory]
    [InlineData("true", null, false)]
    [InlineData("true", "", false)]
    [InlineData("True", "\n", false)]
    [InlineData("1", "", false)]
    [InlineData("true", "abc", true)]
    [InlineData("false", null, true)]
    [InlineData("", "", true)]
    public async Task Sign_in_by_OIDC_needs_the_clients_secret(string enabled, string? secret, bool starts)
    {
        Write("grafana_oidc_secret", secret);
        var check = await CheckAsync(enabled);

        Assert.Equal(starts, check.Succeeded);
        Assert.Equal(starts ? "" : "Grafana is not started: sign-in by OIDC is enabled, and the client's secret is missing or empty; put it into a file and name that by GRAFANA_OIDC_SECRET_FILE, as ./secrets/grafana_oidc_secret.", check.Output.Trim());
    }

    [Fact]
    public async Task Accounts_roles_and_teams_become_what_the_file_says()
    {
        Write("grafana_users", "alice correct-horse\nbob battery-staple\n");
        await using var grafana = await FakeGrafana.StartAsync();
        grafana.Users["carol"] = new(7, "Viewer");

        var applied = await ApplyAsync(grafana, "# people\nteam operators\n\nuser alice operator operators\nuser carol admin operators platform # by OIDC\nuser dave viewer\n");
        Assert.True(applied.Succeeded, applied.Output);

        Assert.Equal("Editor", grafana.Users["alice"].Role);
        Assert.Equal("correct-horse", grafana.Users["alice"].Password);
        Assert.Equal("Admin", grafana.Users["carol"].Role);
        Assert.False(grafana.Users.ContainsKey("dave"));
        Assert.Contains("user dave: not there yet", applied.Output, StringComparison.Ordinal);
        Assert.Equal([7, grafana.Users["alice"].Id], grafana.Teams["operators"].Members.Order());
        Assert.Equal([7], grafana.Teams["platform"].Members);
        Assert.DoesNotContain("correct-horse", applied.Output, StringComparison.Ordinal);

        // Once more, nothing is made twice.
        var changes = grafana.Made.Count;
        Assert.True((await ApplyAsync(grafana, "team operators\nuser alice operator operators\n")).Succeeded);
        Assert.Equal(changes, grafana.Made.Count);
    }

    [Fact]
    public async Task OIDC_users_keep_their_role_and_get_their_teams()
    {
        await using var grafana = await FakeGrafana.StartAsync();
        grafana.Users["carol"] = new(7, "Viewer") { IsExternal = true };
        grafana.Users["dave"] = new(8, "Viewer");

        var applied = await ApplyAsync(grafana, "user carol admin operators\nuser dave operator operators\n");

        Assert.True(applied.Succeeded, applied.Output);
        Assert.Contains("user carol: the role comes from OIDC, in operators", applied.Output, StringComparison.Ordinal);
        Assert.Equal(("Viewer", "Editor"), (grafana.Users["carol"].Role, grafana.Users["dave"].Role));
        Assert.Equal([7, 8], grafana.Teams["operators"].Members.Order());
    }

    [Theory]
    [InlineData("user dave operator\nteam x y\n", "line 2 of access.conf: write 'team NAME'.")]
    [InlineData("user dave operator\nuser dave owner\n", "line 2 of access.conf: the role is 'owner'; allowed: viewer, operator, admin.")]
    [InlineData("team new\nuser dave operator\nuser erin viewer\n", "the first password of 'erin' has fewer than 12 characters.")]
    [InlineData("user dave operator\nuser admin viewer\n", "line 2 of access.conf gives 'admin', who applies this file, the role Viewer, and Grafana would refuse the rest; remove the line, or let another administrator apply it.")]
    [InlineData("user dave operator\nuser root@localhost operator\n", "line 2 of access.conf gives 'root@localhost', who applies this file, the role Editor, and Grafana would refuse the rest; remove the line, or let another administrator apply it.")]
    public async Task No_line_takes_effect_before_all_are_checked(string file, string sentence)
    {
        Write("grafana_users", "erin short\n");
        await using var grafana = await FakeGrafana.StartAsync();
        grafana.Users["dave"] = new(8, "Viewer");
        grafana.Users["root@localhost"] = grafana.Users["admin"];

        var applied = await ApplyAsync(grafana, file);

        Assert.Equal((1, $"Access is not applied: {sentence}"), (applied.ExitCode, applied.Output.Trim()));
        Assert.Equal("Viewer", grafana.Users["dave"].Role);
        Assert.Empty(grafana.Made);
    }

    [Fact]
    public async Task Files_that_end_lines_with_CR_are_read()
    {
        Write("grafana_admin_password", Password + "\r\n");
        Write("grafana_users", "alice correct-horse\r\n");
        await using var grafana = await FakeGrafana.StartAsync();

        var applied = await ApplyAsync(grafana, "team operators\r\nuser alice operator operators\r\n");

        Assert.True(applied.Succeeded, applied.Output);
        Assert.Equal(("Editor", "correct-horse"), (grafana.Users["alice"].Role, grafana.Users["alice"].Password));
        Assert.Equal(["operators"], grafana.Teams.Keys);
    }

    [Theory]
    [InlineData("group x\n", "line 1 of access.conf begins with 'group'; allowed: team, user.")]
    [InlineData("\nuser alice\n", "line 2 of access.conf: write 'user LOGIN ROLE [TEAM ...]'.")]
    [InlineData("user alice owner\n", "line 1 of access.conf: the role is 'owner'; allowed: viewer, operator, admin.")]
    [InlineData("team a\"b\n", "line 1 of access.conf: 'a\"b' may have letters, digits, '.', '_', '@' and '-'.")]
    [InlineData("user erin viewer\n", "the first password of 'erin' has fewer than 12 characters.")]
    public async Task A_user_that_cannot_be_applied_is_reported_in_a_sentence(string file, string sentence)
    {
        Write("grafana_users", "erin short\n");
        await using var grafana = await FakeGrafana.StartAsync();
        var applied = await ApplyAsync(grafana, file);

        Assert.False(applied.Succeeded);
        Assert.Equal($"Access is not applied: {sentence}", applied.Output.Trim());
    }

    [Fact]
    public async Task A_password_that_Grafana_no_longer_has_is_reported()
    {
        await using var grafana = await FakeGrafana.StartAsync();
        Write("grafana_admin_password", "another-password");

        Assert.Contains("Grafana refuses the administrator 'admin'", (await ApplyAsync(grafana, "team a\n")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_administrators_name_may_be_a_file()
    {
        await using var grafana = await FakeGrafana.StartAsync();
        Write("grafana_admin_user", "root\n");
        Assert.Contains("Grafana refuses the administrator 'root'", (await ApplyAsync(grafana, "team a\n")).Output, StringComparison.Ordinal);

        Write("grafana_admin_user", "admin");
        Assert.True((await ApplyAsync(grafana, "team a\n")).Succeeded);
    }

    private void Write(string name, string? content)
    {
        var path = Path.Combine(_secrets.FullName, name);
        if (content is null)
        {
            File.Delete(path);
        }
        else
        {
            File.WriteAllText(path, content);
        }
    }

    private Task<CliResult> CheckAsync(string oidc = "") => ProcessRunner.RunAsync("sh", ["grafana/access/start.sh", "--check"], environment: new Dictionary<string, string?> { ["GRAFANA_SECRETS"] = _secrets.FullName, ["GF_AUTH_GENERIC_OAUTH_ENABLED"] = oidc });

    private async Task<CliResult> ApplyAsync(FakeGrafana grafana, string file)
    {
        Write("access.conf", file);
        return await ProcessRunner.RunAsync("sh", ["grafana/access/apply.sh"], environment: new Dictionary<string, string?>
        {
            ["GRAFANA_SECRETS"] = _secrets.FullName,
            ["ACCESS_FILE"] = Path.Combine(_secrets.FullName, "access.conf"),
            ["GRAFANA_URL"] = grafana.Url,
        });
    }

    // As https://grafana.com/docs/grafana/latest/developers/http_api/ describes them.
    private sealed class FakeGrafana : IAsyncDisposable
    {
        private LocalServer? _server;
        private int _lastId = 10;

        public string Url => _server!.Url;

        public ConcurrentDictionary<string, User> Users { get; } = new() { ["admin"] = new(1, "Admin") };

        public ConcurrentDictionary<string, Team> Teams { get; } = new();

        public ConcurrentQueue<string> Made { get; } = new();

        public static async Task<FakeGrafana> StartAsync()
        {
            var grafana = new FakeGrafana();
            grafana._server = await LocalServer.StartPlainAsync(app =>
            {
                app.Use(async (context, next) =>
                {
                    var expected = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"admin:{Password}"));
                    if (context.Request.Headers.Authorization != expected)
                    {
                        context.Response.StatusCode = 401;
                        return;
                    }

                    await next();
                });
                app.MapGet("/api/teams/search", (string name) => Results.Json(new { totalCount = 1, teams = grafana.Teams.Where(team => team.Key == name).Select(team => new { id = team.Value.Id, orgId = 1, name }), page = 1 }));
                app.MapPost("/api/teams", (JsonElement body) => grafana.Make(body.GetProperty("name").GetString()!, (name, id) => grafana.Teams[name] = new(id)));
                app.MapPost("/api/teams/{id:int}/members", (int id, JsonElement body) => grafana.Teams.Values.Single(team => team.Id == id).Members.Add(body.GetProperty("userId").GetInt32())
                    ? Results.Json(new { message = "Member added to Team" })
                    : Results.Json(new { message = "User is already added to this team" }, statusCode: 400));
                app.MapGet("/api/users/lookup", (string loginOrEmail) => grafana.Users.TryGetValue(loginOrEmail, out var user) ? Results.Json(new { id = user.Id, login = loginOrEmail, orgId = 1 }) : Results.Json(new { message = "user not found" }, statusCode: 404));
                app.MapPost("/api/admin/users", (JsonElement body) => grafana.Make(body.GetProperty("login").GetString()!, (name, id) => grafana.Users[name] = new(id, "Viewer") { Password = body.GetProperty("password").GetString() }));
                app.MapGet("/api/user", () => Results.Json(new { id = grafana.Users["admin"].Id, login = "admin", orgId = 1 }));
                app.MapPatch("/api/org/users/{id:int}", (int id, JsonElement body) =>
                {
                    var user = grafana.Users.Values.First(user => user.Id == id);
                    if (user.IsExternal)
                    {
                        // org.ErrCannotChangeRoleForExternallySyncedUser
                        return Results.Json(new { message = "Cannot change role for externally synced user", messageId = "org.externallySynced", statusCode = 403, traceID = "" }, statusCode: 403);
                    }

                    user.Role = body.GetProperty("role").GetString()!;
                    return Results.Json(new { message = "Organization user updated" });
                });
            });
            return grafana;
        }

        public ValueTask DisposeAsync() => _server!.DisposeAsync();

        private IResult Make(string name, Action<string, int> make)
        {
            var id = Interlocked.Increment(ref _lastId);
            make(name, id);
            Made.Enqueue(name);
            return Results.Json(new { message = "created", id });
        }

        internal sealed class User(int id, string role)
        {
            public int Id { get; } = id;

            public string Role { get; set; } = role;

            public string? Password { get; init; }

            /// <summary>Whether the account came by OIDC.</summary>
            public bool IsExternal { get; init; }
        }

        internal sealed class Team(int id)
        {
            public int Id { get; } = id;

            public HashSet<int> Members { get; } = [];
        }
    }
}
