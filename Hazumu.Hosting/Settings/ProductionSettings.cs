using Microsoft.Extensions.Configuration;

namespace Hazumu.Hosting.Settings;

/// <summary>
/// The demands of production on a graph that runs here. The published application has its own checks, in its
/// containers.
/// </summary>
internal static class ProductionSettings
{
    /// <summary>The least length of a password.</summary>
    public const int ShortestPassword = 12;

    private const string Password = "Parameters:grafana-admin-password";

    /// <summary>The least score of zxcvbn, of 0 to 4: "safely unguessable" for what is not attacked offline.</summary>
    private const int LeastScore = 3;

    // Words that an attacker of this host tries first; zxcvbn has the general ones.
    private static readonly string[] s_ownWords = ["hazumu", "grafana", "ollama", "prometheus", "prom-operator", "gateway"];

    /// <summary>
    /// Puts production's settings in force, or takes the edge out of a graph that is none of production's.
    /// </summary>
    /// <exception cref="StartupProblemException">A setting contradicts production; a sentence for each.</exception>
    public static void Apply(HazumuOptions options, IConfiguration configuration, DistributedApplicationExecutionContext context)
    {
        if (context.IsPublishMode)
        {
            return;
        }

        options.Edge.Enabled &= options.Production;
        if (options.Production)
        {
            StartupProblemException.ThrowIfAny([.. FindProblems(options, configuration)], exitCode: 2);
            options.Gateway.RequireKeys = true;
        }
    }

    /// <summary>Why a password is not accepted, or <see langword="null"/>.</summary>
    public static string? FindWeakness(string? password) => password switch
    {
        null or "" => "is not set",
        _ when password.Length < ShortestPassword => $"has fewer than {ShortestPassword} characters",
        // Grafana drops it, so that what is typed and what is kept differ.
        _ when password.Trim() != password => "begins or ends with a space",
        _ when Zxcvbn.Zxcvbn.MatchPassword(password, s_ownWords).Score < LeastScore => "is easy to guess",
        _ => null,
    };

    private static IEnumerable<string> FindProblems(HazumuOptions options, IConfiguration configuration)
    {
        const string Because = "'Hazumu:Production' is 'true'";
        if (string.Equals(configuration["Hazumu:Gateway:RequireKeys"], "false", StringComparison.OrdinalIgnoreCase))
        {
            yield return $"{Because}, and 'Hazumu:Gateway:RequireKeys' is 'false'; in production every request needs a key: leave that setting out, or set it to true.";
        }

        if (options.Grafana.Enabled && FindWeakness(configuration[Password]) is { } why)
        {
            yield return $"{Because}, and the password of Grafana's administrator ('{Password}') {why}; set one of {ShortestPassword} characters or more, such as 'openssl rand -hex 24' prints.";
        }

        if (options.Edge is { Enabled: true, Tls: EdgeTls.Files } && (options.Edge.CertificateFile is null || options.Edge.KeyFile is null))
        {
            yield return "'Hazumu:Edge:Tls' is 'files', but 'Hazumu:Edge:CertificateFile' and 'Hazumu:Edge:KeyFile' do not both name a file.";
        }
    }
}
