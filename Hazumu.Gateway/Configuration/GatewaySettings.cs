using System.Data.Common;

namespace Hazumu.Gateway.Configuration;

/// <summary>
/// The current settings. A changed file is read again and takes effect without a restart; an invalid one changes
/// nothing and is logged.
/// </summary>
/// <remarks>
/// The framework's reload is not used: a JSON provider that fails to reload drops all its values
/// (<c>FileConfigurationProvider.Load</c> clears its data first), and the old settings would be lost.
/// </remarks>
internal sealed partial class GatewaySettings : IHostedService, IDisposable
{
    private static readonly TimeSpan s_pollInterval = TimeSpan.FromSeconds(1);

    private readonly ILogger<GatewaySettings> _logger;
    private readonly Func<IConfiguration> _read;
    private readonly List<string> _files;
    private readonly Lock _lock = new();
    private ITimer? _poll;
    private string _seen;
    private volatile GatewayOptions _current;

    /// <summary>Reads the settings for the first time.</summary>
    /// <param name="read">Builds the configuration from its files as they are now.</param>
    /// <param name="files">The files to watch.</param>
    /// <param name="logger">The logger for reloads.</param>
    /// <exception cref="StartupProblemException">A setting is unknown or not allowed; a sentence for each.</exception>
    public GatewaySettings(Func<IConfiguration> read, IEnumerable<string> files, ILogger<GatewaySettings> logger)
    {
        _logger = logger;
        _read = read;
        _files = [.. files];
        _seen = Fingerprint();
        _current = Read(read());
    }

    /// <summary>Said before the settings change; a <see cref="KeyFileException"/> keeps the old ones.</summary>
    public event Action<GatewayOptions>? Checking;

    /// <summary>Said after the settings have changed.</summary>
    public event Action<GatewayOptions>? Changed;

    /// <summary>The settings in force now.</summary>
    public GatewayOptions Current => _current;

    /// <summary>Reads and checks the section, and takes the engines of Aspire's references into it.</summary>
    /// <exception cref="StartupProblemException">A setting is unknown or not allowed.</exception>
    public static GatewayOptions Read(IConfiguration configuration)
    {
        var options = new GatewayOptions();
        SettingsReader.Read(configuration.GetSection(GatewayOptions.SectionName), options);

        // A server's own first: those of its models have the same endpoint, and are no further instances.
        var references = configuration.GetSection("ConnectionStrings").GetChildren()
            .Select(reference => (Name: reference.Key, Parts: PartsOf(reference.Value)))
            .OrderBy(reference => reference.Parts?.ContainsKey("Model"));
        foreach (var (name, parts) in references)
        {
            var isConfigured = options.Engines.TryGetValue(name, out var engine);
            if (parts?.TryGetValue("Endpoint", out var value) != true || value is not string endpoint || engine?.Url is not null)
            {
                continue;
            }

            if (!InstanceUrlAttribute.TryParse(endpoint, out var url))
            {
                throw new StartupProblemException($"The connection string '{name}' has the endpoint '{endpoint}'; it must be an http or https URL without a path such as 'http://gpu-1:11434'.");
            }

            if (isConfigured || !options.Engines.Values.Any(known => known.Url is not null && new Uri(known.Url) == url))
            {
                engine ??= options.Engines[name] = new EngineOptions();
                engine.Url = endpoint;
            }
        }

        foreach (var (name, engine) in options.Engines)
        {
            Check(name, engine);
        }

        return options;
    }

    /// <summary>Looks at the files now, rather than within a second.</summary>
    public void ReloadIfChanged()
    {
        lock (_lock)
        {
            var seen = Fingerprint();
            if (seen == _seen)
            {
                return;
            }

            _seen = seen;
            GatewayOptions options;
            try
            {
                _files.ForEach(RegularFile.Check);
                options = Read(_read());

                // The first consumer may still reject them: then no consumer gets them.
                Checking?.Invoke(options);
            }
            catch (Exception error) when (error is StartupProblemException or KeyFileException or InvalidDataException or FormatException
                or IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
            {
                LogRejected(error is InvalidDataException && error.InnerException is { } inner ? $"{error.Message} {inner.Message}" : error.Message);
                return;
            }

            _current = options;
            LogReloaded();
            Changed?.Invoke(options);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Polled: bind mounts and Kubernetes' volumes are replaced by links, which file system events miss.
        _poll = TimeProvider.System.CreateTimer(_ => ReloadIfChanged(), null, s_pollInterval, s_pollInterval);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Dispose() => _poll?.Dispose();

    // By what is in them: a link inside a link, as Kubernetes' volumes have, changes neither time nor length that can be seen here.
    private string Fingerprint() => string.Join('\0', _files.Select(file =>
    {
        try
        {
            return RegularFile.ReadAllText(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return error.GetType().Name;
        }
    }));

    private static void Check(string name, EngineOptions engine)
    {
        var setting = $"{GatewayOptions.SectionName}:{nameof(GatewayOptions.Engines)}:{name}";
        if (engine.Url is null)
        {
            throw new StartupProblemException($"'{setting}' has no '{nameof(engine.Url)}'; set '{setting}:{nameof(engine.Url)}' to the engine's address, such as 'http://gpu-1:11434'.");
        }

        if (engine is { Key: not null, KeyFile: not null })
        {
            throw new StartupProblemException($"'{setting}:{nameof(engine.Key)}' and '{setting}:{nameof(engine.KeyFile)}' are both set; set one of them.");
        }

        var (url, hasKey) = (new Uri(engine.Url), engine.Key is not null || engine.KeyFile is not null);
        if (url.Scheme != Uri.UriSchemeHttps && ((hasKey && !url.IsLoopback) || engine.CaFile is not null))
        {
            throw new StartupProblemException($"'{setting}' needs TLS, and '{engine.Url}' has none: {(hasKey ? "the key would go over the network in plain text" : $"there is no certificate for '{nameof(engine.CaFile)}'")}.");
        }

        EngineAccess.Read(name, engine);
    }

    private static DbConnectionStringBuilder? PartsOf(string? connectionString)
    {
        try
        {
            return new DbConnectionStringBuilder { ConnectionString = connectionString };
        }
        catch (ArgumentException)
        {
            // Somebody else's, in a form of its own.
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The settings have changed and are now in effect.")]
    private partial void LogReloaded();

    [LoggerMessage(Level = LogLevel.Error, Message = "The settings have changed but are not valid; the old ones stay in effect. {Problem}")]
    private partial void LogRejected(string problem);
}
