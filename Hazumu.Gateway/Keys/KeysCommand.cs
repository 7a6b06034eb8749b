using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Hazumu.Gateway.Configuration;
using Microsoft.VisualBasic.FileIO;

namespace Hazumu.Gateway.Keys;

/// <summary>The command line <c>keys create|list|rotate|revoke</c>, which changes the key file; a running gateway reads it again by itself.</summary>
/// <remarks>Exits with 0; with 1 if the key file cannot be used or a name is taken; with 2 if the command line is wrong.</remarks>
internal sealed class KeysCommand
{
    /// <summary>The word that the command line begins with.</summary>
    public const string Name = "keys";

    private const Scope DefaultScopes = Scope.Infer | Scope.Read;
    private const int Failed = 1;
    private const int Misunderstood = 2;
    private const int MaxDays = 36_500;
    private const int MostFormer = 5;

    private static readonly TimeSpan s_overlap = TimeSpan.FromDays(1);
    private static readonly TimeSpan s_longestOverlap = TimeSpan.FromDays(90);

    private readonly IConfiguration _configuration;
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private readonly TimeProvider _time;

    private readonly Argument<string> _name = new("NAME") { Description = $"The name of the key: {KeyName.Allowed}." };
    private readonly Argument<string?> _newName = new("NAME") { Description = $"The name of the key: {KeyName.Allowed}.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string?> _from = new("--from")
    {
        Description = "Creates many keys at once, all or none: a CSV file whose first line names the columns: 'name', and options of this command without '--'. '-' is standard input.",
        HelpName = "FILE",
    };

    private readonly Option<TimeSpan> _overlap = new("--overlap")
    {
        Description = "How long the former secret is accepted beside the new one; without it a day. 0s for not at all.",
        HelpName = "24h",
        DefaultValueFactory = _ => s_overlap,
        CustomParser = ParseOverlap,
    };

    private readonly Option<string> _file = new("--file")
    {
        Description = $"The key file; without it {KeyOptions.SectionName}:File, else hazumu/keys.json in the user's data folder.",
        HelpName = "PATH",
        Recursive = true,
    };

    private readonly Option<Scope> _scopes = new("--scopes")
    {
        Description = $"The scopes of the key, separated by commas: {ScopeNames.Allowed}; without it {string.Join(',', ScopeNames.Of(DefaultScopes))}.",
        HelpName = "infer,read",
        CustomParser = ParseScopes,
    };

    private readonly Option<ModelList> _models = new("--models")
    {
        Description = "The models it may use, separated by commas: names, or patterns such as qwen*; all without it.",
        HelpName = "a,b*",
        CustomParser = ParseModels,
    };

    private readonly Option<Priority> _priority = new("--priority")
    {
        Description = $"The priority of its requests in the queue: {PriorityNames.Allowed}; without it normal.",
        HelpName = "batch",
        DefaultValueFactory = _ => Priority.Normal,
        CustomParser = ParsePriority,
    };

    private readonly Option<string> _ollamaPublicKey = new("--ollama-public-key")
    {
        Description = "Also accepts requests that Ollama's command line signs with OLLAMA_AUTH=1: its public key, ~/.ollama/id_ed25519.pub.",
        HelpName = "FILE|TEXT",
        CustomParser = ParsePublicKey,
    };

    private readonly Option<int?> _requestsPerMinute = Limit("--requests-per-minute", "Requests within a minute; no limit without it.");
    private readonly Option<int?> _tokensPerMinute = Limit("--tokens-per-minute", "Tokens within a minute, of prompts and answers; no limit without it.");
    private readonly Option<int?> _concurrent = Limit("--concurrent", "Requests at the same time; no limit without it.");
    private readonly Option<EndUserSources?> _endUsers = new("--end-users")
    {
        Description = $"How its requests name the people behind it, separated by commas: {EndUserSources.Allowed}. Without it they name no end user.",
        HelpName = "HEADER,body",
        CustomParser = ParseEndUsers,
    };

    private readonly Option<int?> _endUserRequestsPerMinute = Limit("--end-user-requests-per-minute", "Requests of each end user within a minute; no limit without it.");
    private readonly Option<int?> _endUserTokensPerMinute = Limit("--end-user-tokens-per-minute", "Tokens of each end user within a minute; no limit without it.");
    private readonly Option<int?> _endUserConcurrent = Limit("--end-user-concurrent", "Requests of each end user at the same time; no limit without it.");
    private readonly Option<string?> _group = Text("--group", "The group that it belongs to.", KeyNote.IsGroup, KeyNote.AllowedGroup);
    private readonly Option<string?> _note = Text("--note", "A note about it, for 'keys list'.", KeyNote.IsNote, KeyNote.AllowedNote);
    private readonly Option<DateTimeOffset?> _expires;

    private KeysCommand(IConfiguration configuration, TextWriter output, TextWriter error, TimeProvider time)
    {
        _configuration = configuration;
        _output = output;
        _error = error;
        _time = time;
        _expires = new("--expires")
        {
            Description = "When the key expires: in a number of days, or at a date (UTC); never without it.",
            HelpName = "90d|2027-01-01",
            CustomParser = ParseExpires,
        };
    }

    /// <summary>Whether a command line is for this command, and not for the gateway.</summary>
    public static bool IsAsked(IReadOnlyList<string> args) => args is [Name, ..];

    /// <summary>Runs the command.</summary>
    /// <param name="args">The whole command line, <c>keys</c> included.</param>
    /// <param name="configuration">The configuration with <c>Gateway:Keys</c>.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(string[] args, IConfiguration configuration) =>
        RunAsync(args, configuration, System.Console.Out, System.Console.Error, TimeProvider.System);

    /// <summary>Runs the command with other ways out and another clock.</summary>
    internal static Task<int> RunAsync(
        string[] args, IConfiguration configuration, TextWriter output, TextWriter error, TimeProvider time) =>
        new KeysCommand(configuration, output, error, time).RunAsync(args);

    private async Task<int> RunAsync(string[] args)
    {
        var result = Build().Parse(args);
        if (result.Errors.Count > 0)
        {
            foreach (var problem in result.Errors)
            {
                await _error.WriteLineAsync(problem.Message);
            }

            return Misunderstood;
        }

        try
        {
            return await result.InvokeAsync(new InvocationConfiguration { Output = _output, Error = _error, EnableDefaultExceptionHandler = false });
        }
        catch (KeyFileException problem)
        {
            await _error.WriteLineAsync(problem.Message);
            return Failed;
        }
        catch (OperationCanceledException)
        {
            return Failed;
        }
    }

    private RootCommand Build()
    {
        var create = new Command("create", "Creates a key and prints it to standard output. It is shown only once.")
        {
            _newName, _from, _scopes, _models, _priority, _requestsPerMinute, _tokensPerMinute, _concurrent, _expires, _ollamaPublicKey,
            _group, _note, _endUsers, _endUserRequestsPerMinute, _endUserTokensPerMinute, _endUserConcurrent,
        };
        create.Validators.Add(result =>
        {
            if ((result.GetValue(_newName) is null) == (result.GetResult(_from) is null))
            {
                result.AddError("Give either a NAME or '--from FILE'.");
            }
        });
        create.SetAction(CreateAsync);

        var rotate = new Command("rotate", "Gives a key a new secret and prints it to standard output. The former one is accepted for a while.") { _name, _overlap };
        rotate.SetAction(RotateAsync);

        var list = new Command("list", "Lists the keys.");
        list.SetAction(ListAsync);

        var revoke = new Command("revoke", "Removes a key; it stops working within two seconds.") { _name };
        revoke.SetAction(RevokeAsync);

        return new RootCommand("Hazumu's inference gateway; without a command it serves.")
        {
            new Command(Name, "Creates, lists, rotates and revokes API keys.") { _file, create, list, rotate, revoke },
        };
    }

    private async Task<int> CreateAsync(ParseResult result, CancellationToken cancellation)
    {
        List<(ApiKey Key, string Text)> created = [];
        if (result.GetValue(_from) is not { } source)
        {
            var name = result.GetValue(_newName)!;
            if (!KeyName.IsValid(name))
            {
                await _error.WriteLineAsync($"'{name}' is not a valid name of a key; a name must be {KeyName.Allowed}.");
                return Misunderstood;
            }

            created.Add(Make(name, result));
        }
        else if (await ReadManyAsync(source, result, created, cancellation) is { } problem)
        {
            await _error.WriteLineAsync(problem);
            return Misunderstood;
        }

        var path = FilePath(result);
        await KeyFileEditor.AddAsync(path, created.ConvertAll(key => key.Key), cancellation);

        // The key goes alone to standard output, where a pipe or a substitution takes it.
        if (result.GetValue(_from) is null)
        {
            await _output.WriteLineAsync(created[0].Text);
            await _error.WriteLineAsync($"Key '{created[0].Key.Name}' is stored in '{path}' as a hash. The key itself is not shown again.");
        }
        else
        {
            await _output.WriteLineAsync("name,key");
            foreach (var (key, text) in created)
            {
                await _output.WriteLineAsync($"{key.Name},{text}");
            }

            await _error.WriteLineAsync($"{created.Count} keys are stored in '{path}' as hashes. The keys themselves are not shown again.");
        }

        if (created.Exists(key => key.Key.OllamaPublicKey is not null))
        {
            await _error.WriteLineAsync("Ollama's command line needs no key: set OLLAMA_AUTH=1 and OLLAMA_HOST to the gateway's address where it runs.");
        }

        return 0;
    }

    /// <summary>Reads a CSV file: each line is a command line of its own, and has the same options.</summary>
    /// <returns>What is wrong, with the line; <see langword="null"/> if nothing is.</returns>
    private async Task<string?> ReadManyAsync(string source, ParseResult all, List<(ApiKey Key, string Text)> created, CancellationToken cancellation)
    {
        string content;
        try
        {
            content = source == "-" ? await System.Console.In.ReadToEndAsync(cancellation) : await File.ReadAllTextAsync(source, cancellation);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new KeyFileException($"The file of '--from' cannot be read: {problem.Message}", problem);
        }

        var create = all.CommandResult.Command;
        var options = create.Options.Where(option => option != _from && option.HelpName is not null).ToDictionary(option => option.Name[2..], StringComparer.OrdinalIgnoreCase);
        using var reader = new TextFieldParser(new StringReader(content)) { Delimiters = [","], TrimWhiteSpace = true, CommentTokens = ["#"] };
        string[]? columns = null;
        try
        {
            while (reader.ReadFields() is { } fields)
            {
                var line = reader.LineNumber < 0 ? "the last line" : $"line {reader.LineNumber - 1}";
                if (columns is null)
                {
                    columns = fields;
                    if (!columns.Contains("name", StringComparer.OrdinalIgnoreCase) || !columns.All(IsColumn) || columns.Distinct(StringComparer.OrdinalIgnoreCase).Count() < columns.Length)
                    {
                        return $"The first line of '{source}' is '{string.Join(',', columns)}'; it must name the columns: 'name', and any of {string.Join(", ", options.Keys)}.";
                    }

                    continue;
                }

                if (fields.Length != columns.Length)
                {
                    return $"{Capital(line)} of '{source}' has {fields.Length} values and not {columns.Length}.";
                }

                var row = columns.Zip(fields).Where(field => field.Second.Length > 0).ToDictionary(field => field.First, field => field.Second, StringComparer.OrdinalIgnoreCase);
                var name = row.GetValueOrDefault("name", "");
                if (!KeyName.IsValid(name) || created.Exists(key => key.Key.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
                {
                    return $"{Capital(line)} of '{source}' has the name '{name}', which is there twice or not allowed; a name must be {KeyName.Allowed}.";
                }

                var parsed = Build().Parse([Name, create.Name, name, .. row.Where(field => options.ContainsKey(field.Key)).Select(field => $"{options[field.Key].Name}={field.Value}")]);
                if (parsed.Errors.Count > 0)
                {
                    return $"{Capital(line)} of '{source}': {string.Join(" ", parsed.Errors.Select(error => error.Message))}";
                }

                created.Add(Make(name, parsed));
            }
        }
        catch (MalformedLineException)
        {
            return $"Line {reader.ErrorLineNumber} of '{source}' is no CSV: a quotation mark is missing.";
        }

        return created.Count == 0 ? $"'{source}' has no keys: its first line must name the columns, and each further line is a key." : null;

        bool IsColumn(string column) => column.Equals("name", StringComparison.OrdinalIgnoreCase) || options.ContainsKey(column);

        static string Capital(string line) => char.ToUpperInvariant(line[0]) + line[1..];
    }

    private (ApiKey Key, string Text) Make(string name, ParseResult result)
    {
        if (_configuration.GetSection($"{KeyOptions.SectionName}:Configured:{name}").Exists())
        {
            throw new KeyFileException($"There is a key '{name}' in the configuration; choose another name.");
        }

        var (text, id, hash) = KeyText.Create();
        return (new ApiKey
        {
            Id = id,
            Name = name,
            Hash = hash,
            OllamaPublicKey = result.GetValue(_ollamaPublicKey),
            Scopes = result.GetResult(_scopes) is null ? DefaultScopes : result.GetValue(_scopes),
            Models = result.GetValue(_models) ?? ModelList.All,
            Priority = result.GetValue(_priority),
            RequestsPerMinute = result.GetValue(_requestsPerMinute),
            TokensPerMinute = result.GetValue(_tokensPerMinute),
            ConcurrentRequests = result.GetValue(_concurrent),
            EndUsers = result.GetValue(_endUsers),
            EndUserLimits = new(result.GetValue(_endUserRequestsPerMinute), result.GetValue(_endUserTokensPerMinute), result.GetValue(_endUserConcurrent)),
            Group = result.GetValue(_group),
            Note = result.GetValue(_note),
            Created = _time.GetUtcNow(),
            Expires = result.GetValue(_expires),
        }, text);
    }

    private async Task<int> RotateAsync(ParseResult result, CancellationToken cancellation)
    {
        var (name, path, overlap) = (result.GetRequiredValue(_name), FilePath(result), result.GetValue(_overlap));
        _ = KeyFileEditor.Get(KeyFile.Read(path), name, path);
        var now = _time.GetUtcNow();
        string? text = null;
        await KeyFileEditor.UpdateAsync(
            path,
            keys =>
            {
                // The id stays, and with it what the key has used and its running requests.
                var old = KeyFileEditor.Get(keys, name, path);
                (text, var hash) = KeyText.CreateSecret(old.Id);
                var former = old.Former.Where(secret => secret.Expires > now);
                ApiKey key = old with
                {
                    Hash = hash,
                    Former = overlap == TimeSpan.Zero ? [] : [.. former.Append(new(old.Hash, now + overlap)).TakeLast(MostFormer)],
                };
                return [.. keys.Select(other => other == old ? key : other)];
            },
            cancellation);
        await _output.WriteLineAsync(text);
        await _error.WriteLineAsync(overlap == TimeSpan.Zero
            ? $"Key '{name}' has a new secret, which is not shown again; the former one stops working within two seconds."
            : $"Key '{name}' has a new secret, which is not shown again; the former one works until {KeyTime.Format(now + overlap)}.");
        return 0;
    }

    private async Task<int> ListAsync(ParseResult result, CancellationToken cancellation)
    {
        var path = FilePath(result);
        var keys = KeyFile.Read(path);
        if (keys.Count == 0)
        {
            await _error.WriteLineAsync($"There are no keys in '{path}'.");
            return 0;
        }

        await KeyTable.WriteAsync(_output, keys, LastUseFile.Read(path), _time.GetUtcNow());
        return 0;
    }

    private async Task<int> RevokeAsync(ParseResult result, CancellationToken cancellation)
    {
        var name = result.GetRequiredValue(_name);
        var path = FilePath(result);
        await KeyFileEditor.RemoveAsync(path, name, cancellation);
        await _error.WriteLineAsync($"Key '{name}' is revoked.");
        return 0;
    }

    private string FilePath(ParseResult result)
    {
        var path = result.GetValue(_file) ?? _configuration[$"{KeyOptions.SectionName}:File"];
        return string.IsNullOrWhiteSpace(path)
            ? KeyOptions.DefaultFile ?? throw new KeyFileException($"This user has no data folder; give the key file by --file or {KeyOptions.SectionName}:File.")
            : Path.GetFullPath(path);
    }

    private static Option<int?> Limit(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit >= 1)
            {
                return limit;
            }

            result.AddError($"{name} is '{text}'; allowed: a number from 1 to {int.MaxValue}.");
            return null;
        },
    };

    private static Option<string?> Text(string name, string description, Func<string, bool> isAllowed, string allowed) => new(name)
    {
        Description = description,
        HelpName = "TEXT",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (!isAllowed(text))
            {
                result.AddError($"{name} is '{text}'; allowed: {allowed}.");
            }

            return text;
        },
    };

    private static EndUserSources? ParseEndUsers(ArgumentResult result)
    {
        if (!EndUserSources.TryParse(result.Tokens[0].Value.Split(','), out var sources, out var wrong))
        {
            result.AddError($"--end-users holds '{wrong}'; allowed: {EndUserSources.Allowed}.");
        }

        return sources;
    }

    private static Scope ParseScopes(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (!ScopeNames.TryParse(text.Split(','), out var scopes))
        {
            result.AddError($"--scopes is '{text}'; allowed: one or more of {ScopeNames.Allowed}, separated by commas.");
        }

        return scopes;
    }

    private static Priority ParsePriority(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (!PriorityNames.TryParse(text, out var priority))
        {
            result.AddError($"--priority is '{text}'; allowed: {PriorityNames.Allowed}.");
        }

        return priority;
    }

    private static TimeSpan ParseOverlap(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (!Duration.TryParse(text, out var overlap) || overlap > s_longestOverlap)
        {
            result.AddError($"--overlap is '{text}'; allowed: 0s to {s_longestOverlap.TotalDays}d, {Duration.Rule}.");
        }

        return overlap;
    }

    private static string? ParsePublicKey(ArgumentResult result)
    {
        var value = result.Tokens[0].Value;
        if (OllamaSignature.ReadPublicKey(value) is { } key)
        {
            return key;
        }

        try
        {
            if (!File.Exists(value))
            {
                result.AddError($"--ollama-public-key is '{value}', which is neither a file nor a public key; allowed: a file such as ~/.ollama/id_ed25519.pub, or its text, 'ssh-ed25519 AAAA…'.");
            }
            else if (OllamaSignature.ReadPublicKey(File.ReadAllText(value)) is { } read)
            {
                return read;
            }
            else
            {
                result.AddError($"The file '{value}' of --ollama-public-key holds no public key of the type ssh-ed25519; give the one whose name ends in .pub.");
            }
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            result.AddError($"The file '{value}' of --ollama-public-key cannot be read: {problem.Message}");
        }

        return null;
    }

    private static ModelList? ParseModels(ArgumentResult result)
    {
        if (!ModelList.TryParse(result.Tokens[0].Value.Split(','), out var models, out var wrong))
        {
            result.AddError($"--models holds '{wrong}', which is neither the name of a model nor a pattern such as qwen*.");
        }

        return models;
    }

    private DateTimeOffset? ParseExpires(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        var now = _time.GetUtcNow();
        if (text.EndsWith('d') && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var days))
        {
            if (days is >= 1 and <= MaxDays)
            {
                return now.AddDays(days);
            }
        }
        else if (KeyTime.TryParse(text, out var time) && time > now)
        {
            return time;
        }

        result.AddError($"--expires is '{text}'; allowed: 1d to {MaxDays}d, or {KeyTime.Allowed} that is to come.");
        return null;
    }
}
