using System.Data.Common;

namespace Hazumu.Gateway.Configuration;

/// <summary>The settings in force. A changed file is read anew and takes effect without a restart; a broken one changes nothing and is told.</summary>
/// <remarks>
/// Not by the framework's reload: a JSON provider that fails to reload drops all that it held
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
    /// <param name="logger">Where reloads are told.</param>
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

    /// <summary>Reads and checks the section, and takes the instances of Aspire's references into it.</summary>
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
            if (parts?.TryGetValue("Endpoint", out var value) != true || value is not string endpoint || options.Instances.ContainsKey(name))
            {
                continue;
            }

            if (!InstanceUrlAttribute.TryParse(endpoint, out var url))
            {
                throw new StartupProblemException($"The connection string '{name}' has the endpoint '{endpoint}'; it must be an http or https URL without a path such as 'http://gpu-1:11434'.");
            }

            if (!options.Instances.Values.Any(known => new Uri(known) == url))
            {
                options.Instances.Add(name, endpoint);
            }
        }

        CheckAccess(options);
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

                // Whoever takes them first may still find them wanting: then nobody has them.
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

    private static void CheckAccess(GatewayOptions options)
    {
        foreach (var (name, access) in options.InstanceAccess)
        {
            if (!options.Instances.TryGetValue(name, out var url))
            {
                throw new StartupProblemException($"'Gateway:InstanceAccess:{name}' is for an instance that there is not; 'Gateway:Instances' has {string.Join(", ", options.Instances.Keys)}.");
            }

            if (new Uri(url).Scheme != Uri.UriSchemeHttps)
            {
                throw new StartupProblemException($"'Gateway:InstanceAccess:{name}' needs TLS, and '{url}' has none: the key would go over the network in plain text.");
            }

            EngineAccess.Read(name, access);
        }
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

    [LoggerMessage(Level = LogLevel.Information, Message = "The settings have changed and are in force.")]
    private partial void LogReloaded();

    [LoggerMessage(Level = LogLevel.Error, Message = "The settings have changed and cannot be used; the old ones stay in force. {Problem}")]
    private partial void LogRejected(string problem);
}
