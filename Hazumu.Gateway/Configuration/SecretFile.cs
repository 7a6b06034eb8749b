namespace Hazumu.Gateway.Configuration;

/// <summary>Files that hold one secret, such as those that Docker and Kubernetes mount.</summary>
internal static class SecretFile
{
    /// <summary>Reads one, without the line's end.</summary>
    /// <exception cref="StartupProblemException">It cannot be read.</exception>
    public static string Read(string setting, string path)
    {
        try
        {
            return RegularFile.ReadAllText(path).Trim();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new StartupProblemException($"The file of '{setting}' cannot be read: {problem.Message}");
        }
    }
}
