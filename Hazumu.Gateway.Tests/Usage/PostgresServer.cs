using System.Diagnostics;
using System.Globalization;
using Hazumu.Gateway.Tests.Cluster;
using Hazumu.Testing;
using Npgsql;

namespace Hazumu.Gateway.Tests.Usage;

/// <summary>A PostgreSQL of the test's own, of Debian's package <c>postgresql</c>; the test is skipped without it.</summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>The password of its user <c>hazumu</c>.</summary>
    public const string Password = "the-password-of-usage";

    private const string Start =
        """
        mkdir -m 700 "$1" && printf %s "$2" > "$1.password"
        "$0/initdb" -D "$1" -U hazumu -A scram-sha-256 --pwfile="$1.password" -E UTF8 --locale=C > "$1.log" 2>&1 || exit 1
        exec "$0/postgres" -D "$1" -p "$3" -k /tmp -c listen_addresses=127.0.0.1 -c fsync=off >> "$1.log" 2>&1
        """;

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"hazumu-postgres-{Guid.NewGuid():N}");
    private readonly int _port = ClusterGroup.FreePort();
    private readonly string _programs;
    private Process _process;

    private PostgresServer(string programs)
    {
        _programs = programs;
        _process = Process.Start(StartInfo(Start))!;
    }

    /// <summary>Its connection string, without a password.</summary>
    public string Database => string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Database=postgres;Username=hazumu");

    /// <summary>Starts one.</summary>
    public static async Task<PostgresServer> StartAsync()
    {
        const string Versions = "/usr/lib/postgresql";
        Skip.If(!Directory.Exists(Versions) ? "PostgreSQL is not installed (Debian's package postgresql)." : null);
        var server = new PostgresServer(Path.Combine(Directory.EnumerateDirectories(Versions).Order(StringComparer.Ordinal).Last(), "bin"));
        try
        {
            await server.AnswersAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops it at once.</summary>
    public async Task StopAsync()
    {
        using var kill = Process.Start("kill", ["-INT", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync();
    }

    /// <summary>Starts it again.</summary>
    public Task RestartAsync()
    {
        _process.Dispose();
        _process = Process.Start(StartInfo("exec \"$0/postgres\" -D \"$1\" -p \"$3\" -k /tmp -c listen_addresses=127.0.0.1 -c fsync=off >> \"$1.log\" 2>&1"))!;
        return AnswersAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await StopAsync();
        }

        _process.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }

        File.Delete($"{_folder}.log");
        File.Delete($"{_folder}.password");
    }

    private Task AnswersAsync() => Wait.UntilAsync(
        async () =>
        {
            await using var connection = new NpgsqlConnection($"{Database};Password={Password};Pooling=false");
            await connection.OpenAsync();
        },
        TimeSpan.FromSeconds(60));

    // PostgreSQL refuses to run as root.
    private ProcessStartInfo StartInfo(string script)
    {
        string[] shell = ["sh", "-c", script, _programs, _folder, Password, _port.ToString(CultureInfo.InvariantCulture)];
        string[] all = Environment.UserName == "root" ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", .. shell] : shell;
        return new(all[0], all[1..]);
    }
}
