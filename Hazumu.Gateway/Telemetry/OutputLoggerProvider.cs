using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Hazumu.Gateway.Telemetry;

/// <summary>
/// The program's log on standard output, in place of the framework's console logger: that one blocks every thread that
/// logs while standard output is not read, and with them all requests and the end of the process. Format and levels are
/// the console logger's own settings.
/// </summary>
[ProviderAlias("Console")]
internal sealed class OutputLoggerProvider : ILoggerProvider, ISupportExternalScope
{
    private readonly StandardOutput _output;
    private readonly ConsoleFormatter _formatter;
    private IExternalScopeProvider? _scopes;

    public OutputLoggerProvider(StandardOutput output, IEnumerable<ConsoleFormatter> formatters, IOptions<ConsoleLoggerOptions> options)
    {
        _output = output;
        var name = options.Value.FormatterName ?? ConsoleFormatterNames.Simple;
        var all = formatters.ToList();
        _formatter = all.Find(formatter => formatter.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) ?? throw new StartupProblemException(
            $"'Logging:Console:FormatterName' is '{name}'; allowed: {string.Join(", ", all.Select(formatter => formatter.Name).Order(StringComparer.Ordinal))}.");
    }

    /// <summary>Takes the place of the framework's console logger.</summary>
    public static void Replace(IServiceCollection services)
    {
        foreach (var console in services.Where(service => service.ServiceType == typeof(ILoggerProvider) && service.ImplementationType == typeof(ConsoleLoggerProvider)).ToList())
        {
            services.Remove(console);
        }

        services.AddSingleton<ILoggerProvider, OutputLoggerProvider>();
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    /// <inheritdoc/>
    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    /// <inheritdoc/>
    public void Dispose()
    {
        // Standard output is the container's to close, after whatever else still has a line.
    }

    private sealed class Logger(OutputLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => provider._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                using var text = new StringWriter();
                provider._formatter.Write(new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter), provider._scopes, text);
                provider._output.Lines.Write(Encoding.UTF8.GetBytes(text.ToString()));
            }
        }
    }
}
