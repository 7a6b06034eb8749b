using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Hazumu.Gateway.Configuration;

namespace Hazumu.Gateway.Keys;

/// <summary>The command line <c>keys create|list|revoke</c>, which changes the key file; a running gateway reads it again by itself.</summary>
/// <remarks>Exits with 0; with 1 if the key file cannot be used or a name is taken; with 2 if the command line is wrong.</remarks>
internal sealed class KeysCommand
{
    /// <summary>The word that the command line begins with.</summary>
    public const string Name = "keys";

    private const Scope DefaultScopes = Scope.Infer | Scope.Read;
    private const int Failed = 1;
    private const int Misunderstood = 2;
    private const int MaxDays = 36_500;

    private readonly IConfiguration _configuration;
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private readonly TimeProvider _time;

    private readonly Argument<string> _name = new("NAME") { Description = $"The name of the key: {KeyName.Allowed}." };
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
        Description = $"How its requests name the people behind it, separated by commas: {EndUserSources.Allowed}. Without it they name nobody.",
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
            _name, _scopes, _models, _priority, _requestsPerMinute, _tokensPerMinute, _concurrent, _expires, _ollamaPublicKey,
            _group, _note, _endUsers, _endUserRequestsPerMinute, _endUserTokensPerMinute, _endUserConcurrent,
        };
        create.SetAction(CreateAsync);

        var list = new Command("list", "Lists the keys.");
        list.SetAction(ListAsync);

        var revoke = new Command("revoke", "Removes a key; it stops working within two seconds.") { _name };
        revoke.SetAction(RevokeAsync);

        return new RootCommand("Hazumu's inference gateway; without a command it serves.")
        {
            new Command(Name, "Creates, lists and revokes API keys.") { _file, create, list, revoke },
        };
    }

    private async Task<int> CreateAsync(ParseResult result, CancellationToken cancellation)
    {
        var name = result.GetRequiredValue(_name);
        if (!KeyName.IsValid(name))
        {
            await _error.WriteLineAsync($"'{name}' is not a valid name of a key; a name must be {KeyName.Allowed}.");
            return Misunderstood;
        }

        if (_configuration.GetSection($"{KeyOptions.SectionName}:Configured:{name}").Exists())
        {
            throw new KeyFileException($"There is a key '{name}' in the configuration; choose another name.");
        }

        var path = FilePath(result);
        var (text, id, hash) = KeyText.Create();
        var key = new ApiKey
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
        };

        await KeyFileEditor.AddAsync(path, key, cancellation);

        // The key goes alone to standard output, where a pipe or a substitution takes it.
        await _output.WriteLineAsync(text);
        await _error.WriteLineAsync($"Key '{name}' is stored in '{path}' as a hash. The key itself is not shown again.");
        if (key.OllamaPublicKey is not null)
        {
            await _error.WriteLineAsync("Ollama's command line needs no key: set OLLAMA_AUTH=1 and OLLAMA_HOST to the gateway's address where it runs.");
        }

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

        await KeyTable.WriteAsync(_output, keys, _time.GetUtcNow());
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
