using System.Data.Common;
using System.Globalization;
using System.Text;
using Hazumu.Gateway.Configuration;
using Microsoft.Data.Sqlite;
using NodaTime;
using Npgsql;

namespace Hazumu.Gateway.Usage;

/// <summary>The database that keeps usage: SQLite or PostgreSQL, with the same statements.</summary>
/// <remarks>Opened at the first use; a gateway that records no usage loads neither.</remarks>
internal sealed class UsageStore : IAsyncDisposable
{
    private const string Table = "hazumu_usage";
    private const int TimeoutSeconds = 5;

    // A statement for more rows has so many parameters that SQLite takes longer to find them than to store the rows.
    private const int RowsPerStatement = 64;
    private const int LongestText = 256;

    private static readonly string[] s_columns =
    [
        "id bigint PRIMARY KEY", "started bigint NOT NULL", "day text NOT NULL", "request_id text NOT NULL", "key_id text", "key_name text NOT NULL",
        "end_user text", "user_group text", "operation text NOT NULL", "model text", "served text", "engine text",
        "input_tokens bigint", "cached_tokens bigint", "output_tokens bigint",
        "queue_s double precision", "load_s double precision", "prefill_s double precision", "decode_s double precision", "total_s double precision NOT NULL",
        "outcome text NOT NULL", "status bigint NOT NULL",
    ];

    private readonly UsageOptions _options;
    private readonly UsageCalendar _calendar;
    private readonly Lazy<DbDataSource> _source;
    private bool _isCreated;

    /// <summary>Creates it.</summary>
    /// <param name="options">Where it is.</param>
    /// <param name="calendar">The calendar of days.</param>
    public UsageStore(UsageOptions options, UsageCalendar calendar)
    {
        (_options, _calendar) = (options, calendar);
        _source = new(() => IsSqlite ? SqliteFactory.Instance.CreateDataSource(SqliteSettings(options).ConnectionString) : NpgsqlDataSource.Create(PostgresSettings(options)));
    }

    /// <summary>Whether usage is kept at all.</summary>
    public bool IsEnabled => _options.IsEnabled;

    /// <summary>The time zone and the days in it.</summary>
    public UsageCalendar Calendar => _calendar;

    private bool IsSqlite => string.IsNullOrEmpty(_options.Database);

    /// <summary>Checks the settings. The database itself may be away: requests are served without it.</summary>
    /// <exception cref="StartupProblemException">They contradict each other, or a file cannot be read.</exception>
    public static void Check(UsageOptions options)
    {
        if (!string.IsNullOrEmpty(options.Database))
        {
            PostgresSettings(options);
        }
        else if (options.Password is not null || options.PasswordFile is not null)
        {
            throw new StartupProblemException("'Gateway:Usage' has a password and no 'Database' that it is for; set 'Gateway:Usage:Database', or remove it.");
        }
    }

    /// <summary>Whether an error says that the database cannot be reached or cannot be used now: locked, full, refused.</summary>
    public static bool IsOutage(Exception error) => error is DbException or IOException or UnauthorizedAccessException or TimeoutException or StartupProblemException;

    /// <summary>Whether an error says that the database refuses a record for what is in it, so that trying again is of no use.</summary>
    public static bool IsRejection(Exception error) => error
        is DbException { IsTransient: false, SqlState: ['2', '2' or '3', ..] }

        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH: it has no SQLSTATE.
        or SqliteException { SqliteErrorCode: 18 or 19 or 20 };

    /// <summary>Stores records, all or none. One that is there already is left as it is.</summary>
    /// <param name="records">The records with their numbers, which no other record has.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="Exception">They could not be stored; see <see cref="IsOutage"/>.</exception>
    public Task AddAsync(IReadOnlyList<(long Id, UsageRecord Record)> records, CancellationToken cancellationToken) => RunAsync(
        connection => AddAsync(connection, records, cancellationToken), cancellationToken);

    /// <summary>Deletes the records of requests that began before a time.</summary>
    /// <exception cref="Exception">See <see cref="IsOutage"/>.</exception>
    public Task DeleteAsync(DateTimeOffset before, CancellationToken cancellationToken) => RunAsync(
        async connection =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = $"DELETE FROM {Table} WHERE started < @before";
            Add(command, "@before", before.ToUnixTimeMilliseconds());
            return await command.ExecuteNonQueryAsync(cancellationToken);
        },
        cancellationToken);

    /// <summary>Adds usage up. What was recorded within the last second may be missing.</summary>
    /// <exception cref="Exception">See <see cref="IsOutage"/>.</exception>
    public Task<UsageReport> ReadAsync(UsageQuery query, CancellationToken cancellationToken) => RunAsync(
        connection => ReadAsync(connection, query, cancellationToken), cancellationToken);

    /// <summary>Reads what keys, their end users and groups have used of a day and of its month.</summary>
    /// <param name="day">The day.</param>
    /// <param name="withUsers">Whether end users are read as well: there may be very many.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="Exception">See <see cref="IsOutage"/>.</exception>
    public Task<IReadOnlyList<BudgetUse>> ReadBudgetsAsync(LocalDate day, bool withUsers, CancellationToken cancellationToken) => RunAsync(
        connection => ReadBudgetsAsync(connection, day, withUsers, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_source.IsValueCreated)
        {
            await _source.Value.DisposeAsync();
        }
    }

    // SQLite works synchronously, and the caller's thread may be a connection's or hold a lock.
    private Task<T> RunAsync<T>(Func<DbConnection, Task<T>> run, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
            await using var connection = await OpenAsync(cancellationToken);
            try
            {
                return await run(connection);
            }
            catch (DbException)
            {
                // The table may be gone, as after another database was restored: look for it the next time.
                _isCreated = false;
                throw;
            }
        },
        CancellationToken.None);

    private async Task<int> AddAsync(DbConnection connection, IReadOnlyList<(long Id, UsageRecord Record)> records, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var rows in records.Chunk(RowsPerStatement))
        {
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            var values = new StringBuilder($"INSERT INTO {Table} VALUES ");
            foreach (var (id, record) in rows)
            {
                values.Append(command.Parameters.Count == 0 ? "(" : "), (");
                var isFirst = true;
                foreach (var value in ValuesOf(id, in record))
                {
                    var name = string.Create(CultureInfo.InvariantCulture, $"@p{command.Parameters.Count}");
                    values.Append(isFirst ? "" : ", ").Append(name);
                    isFirst = false;
                    Add(command, name, value);
                }
            }

            command.CommandText = values.Append(") ON CONFLICT DO NOTHING").ToString();
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return records.Count;
    }

    private async Task<UsageReport> ReadAsync(DbConnection connection, UsageQuery query, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = TextOf(query);
        Add(command, "@from", query.From.ToUnixTimeMilliseconds());
        Add(command, "@to", query.To.ToUnixTimeMilliseconds());
        Add(command, "@limit", (long)query.Limit + 1);
        foreach (var (name, value) in query.Where)
        {
            Add(command, $"@{name}", value);
        }

        var rows = new List<UsageRow>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (rows.Count < query.Limit && await reader.ReadAsync(cancellationToken))
        {
            rows.Add(RowOf(reader, query));
        }

        return new(query, _calendar.TimeZone, rows, IsTruncated: rows.Count == query.Limit && await reader.ReadAsync(cancellationToken));
    }

    private async Task<IReadOnlyList<BudgetUse>> ReadBudgetsAsync(DbConnection connection, LocalDate day, bool withUsers, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = $"""
            SELECT key_id, {(withUsers ? "end_user" : "NULL")}, user_group,
              count(CASE WHEN day = @day THEN 1 END),
              CAST(coalesce(sum(CASE WHEN day = @day THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0) END), 0) AS bigint),
              count(*),
              CAST(coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), 0) AS bigint)
            FROM {Table} WHERE started >= @from AND started < @to AND key_id IS NOT NULL GROUP BY key_id, {(withUsers ? "end_user, " : "")}user_group
            """;
        Add(command, "@day", UsageCalendar.Format(day));
        Add(command, "@from", _calendar.StartOf(UsageCalendar.MonthOf(day)).ToUnixTimeMilliseconds());
        Add(command, "@to", _calendar.StartOf(day.PlusDays(1)).ToUnixTimeMilliseconds());
        var uses = new Dictionary<string, BudgetUse>(StringComparer.Ordinal);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            var key = reader.GetString(0);
            Count(BudgetAccount.OfKey(key));
            if (!reader.IsDBNull(1))
            {
                Count(BudgetAccount.OfUser(key, reader.GetString(1)));
            }

            if (!reader.IsDBNull(2))
            {
                Count(BudgetAccount.OfGroup(reader.GetString(2)));
            }
        }

        return [.. uses.Values];

        void Count(string id)
        {
            var use = uses.GetValueOrDefault(id) ?? new(id, BudgetLedger.NumberOf(day), 0, 0, 0, 0);
            uses[id] = use with
            {
                DayRequests = use.DayRequests + reader.GetInt64(3),
                DayTokens = use.DayTokens + reader.GetInt64(4),
                MonthRequests = use.MonthRequests + reader.GetInt64(5),
                MonthTokens = use.MonthTokens + reader.GetInt64(6),
            };
        }
    }

    private static SqliteConnectionStringBuilder SqliteSettings(UsageOptions options) => new() { DataSource = Path.GetFullPath(options.File!), DefaultTimeout = TimeoutSeconds };

    private static NpgsqlConnectionStringBuilder PostgresSettings(UsageOptions options)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new NpgsqlConnectionStringBuilder(options.Database) { Timeout = TimeoutSeconds, ApplicationName = "hazumu-gateway" };
        }
        catch (ArgumentException problem)
        {
            throw new StartupProblemException($"'Gateway:Usage:Database' is no connection string such as 'Host=postgres;Database=hazumu;Username=hazumu': {problem.Message}");
        }

        if (settings.Password is not null)
        {
            throw new StartupProblemException("'Gateway:Usage:Database' has a password; set 'Gateway:Usage:PasswordFile' to a file with it instead.");
        }

        if (string.IsNullOrEmpty(settings.Host))
        {
            throw new StartupProblemException("'Gateway:Usage:Database' has no 'Host'; set it to the server's name, as in 'Host=postgres;Database=hazumu;Username=hazumu'.");
        }

        if (options is { Password: not null, PasswordFile: not null })
        {
            throw new StartupProblemException("'Gateway:Usage:Password' and 'Gateway:Usage:PasswordFile' are both set; set one of them.");
        }

        settings.Password = options.PasswordFile is { } file ? SecretFile.Read("Gateway:Usage:PasswordFile", file) : options.Password;
        return settings;
    }

    private async Task<DbConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (IsSqlite)
        {
            CreateFile(Path.GetFullPath(_options.File!));
        }

        var connection = await _source.Value.OpenConnectionAsync(cancellationToken);
        try
        {
            if (IsSqlite)
            {
                // NORMAL: a commit outlives the process, however it ends; a power cut may take the last ones.
                await ExecuteAsync(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", cancellationToken);
            }

            if (!_isCreated)
            {
                await CreateAsync(connection, Table, $"CREATE TABLE IF NOT EXISTS {Table} ({string.Join(", ", s_columns)})", cancellationToken);
                await CreateAsync(connection, $"{Table}_started", $"CREATE INDEX IF NOT EXISTS {Table}_started ON {Table} (started)", cancellationToken);
                _isCreated = true;
            }

            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    // SQLite would have it be read by everybody on the machine, and creates no folder.
    private static void CreateFile(string path)
    {
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.ReadWrite };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            new FileStream(path, options).Dispose();
        }
    }

    // PostgreSQL refuses IF NOT EXISTS to a user who may not create it, even where it exists.
    private async Task CreateAsync(DbConnection connection, string name, string text, CancellationToken cancellationToken)
    {
        if (!IsSqlite)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = $"SELECT to_regclass('{name}') IS NOT NULL";
            if (await command.ExecuteScalarAsync(cancellationToken) is true)
            {
                return;
            }
        }

        await ExecuteAsync(connection, text, cancellationToken);
    }

    private static async Task ExecuteAsync(DbConnection connection, string text, CancellationToken cancellationToken)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = text;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static void Add(DbCommand command, string name, object? value)
    {
        var parameter = command.CreateParameter();
        (parameter.ParameterName, parameter.Value) = (name, value ?? DBNull.Value);
        command.Parameters.Add(parameter);
    }

    private IEnumerable<object?> ValuesOf(long id, in UsageRecord record) =>
    [
        id,
        record.Started.ToUnixTimeMilliseconds(),
        UsageCalendar.Format(_calendar.DayOf(record.Started)),
        TextOf(record.RequestId),
        record.KeyId,
        record.Key,
        TextOf(record.EndUser),
        TextOf(record.Group),
        record.Operation,
        TextOf(record.Model),
        TextOf(record.Served),
        TextOf(record.Engine),
        record.InputTokens,
        record.CachedTokens,
        record.OutputTokens,
        record.Queue,
        record.Load,
        record.Prefill,
        record.Decode,
        record.Total,
        record.Outcome,
        (long)record.Status,
    ];

    // Clients choose some of it, and PostgreSQL refuses a zero and halves of characters.
    private static string? TextOf(string? text)
    {
        if (text is null || (text.Length <= LongestText && !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') && !text.Contains('\0', StringComparison.Ordinal)))
        {
            return text;
        }

        var whole = text.Replace("\0", "", StringComparison.Ordinal);
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(whole[..Math.Min(whole.Length, LongestText)]));
    }

    private static string TextOf(UsageQuery query)
    {
        var by = query.By.Select(name => UsageQuery.Dimensions.First(dimension => dimension.Name == name)).ToList();
        var text = new StringBuilder("SELECT ");
        foreach (var (_, sql) in by)
        {
            text.Append(sql).Append(", ");
        }

        text.Append("count(*), count(CASE WHEN outcome <> 'success' THEN 1 END)");
        foreach (var column in (string[])["input_tokens", "cached_tokens", "output_tokens"])
        {
            text.Append(CultureInfo.InvariantCulture, $", CAST(sum({column}) AS bigint)");
        }

        text.Append(", sum(queue_s), sum(load_s), sum(prefill_s), sum(decode_s)");
        text.Append(CultureInfo.InvariantCulture, $" FROM {Table} WHERE started >= @from AND started < @to");
        foreach (var name in query.Where.Keys)
        {
            text.Append(CultureInfo.InvariantCulture, $" AND {UsageQuery.Dimensions.First(dimension => dimension.Name == name).Sql} = @{name}");
        }

        if (by.Count > 0)
        {
            text.Append(" GROUP BY ").AppendJoin(", ", by.Select(dimension => dimension.Sql));
        }

        text.Append(" ORDER BY ");
        foreach (var (_, sql) in by.Where(dimension => dimension.Name is "time" or "day" or "month"))
        {
            text.Append(sql).Append(", ");
        }

        text.Append("coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0) DESC, count(*) DESC");
        foreach (var (_, sql) in by)
        {
            text.Append(", ").Append(sql);
        }

        return text.Append(" LIMIT @limit").ToString();
    }

    private static UsageRow RowOf(DbDataReader reader, UsageQuery query)
    {
        var by = new string?[query.By.Count];
        for (var index = 0; index < by.Length; index++)
        {
            by[index] = reader.IsDBNull(index) ? null
                : query.By[index] == "time" ? DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(index)).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)
                : reader.GetString(index);
        }

        var column = by.Length;
        return new(by, reader.GetInt64(column++), reader.GetInt64(column++), Count(), Count(), Count(), Seconds(), Seconds(), Seconds(), Seconds());

        long? Count() => reader.IsDBNull(column++) ? null : reader.GetInt64(column - 1);

        double? Seconds() => reader.IsDBNull(column++) ? null : reader.GetDouble(column - 1);
    }
}
