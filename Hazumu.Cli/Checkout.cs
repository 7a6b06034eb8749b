namespace Hazumu.Cli;

/// <summary>The checkout of Hazumu that commands work on.</summary>
/// <param name="Root">The folder that holds <c>Hazumu.sln</c>.</param>
internal sealed record Checkout(string Root)
{
    /// <summary>The folder for logs and remembered settings; git ignores it.</summary>
    public string State => Directory.CreateDirectory(Path.Combine(Root, ".hazumu")).FullName;

    /// <summary>Finds the checkout that this program was built in, or for an installed tool the one that it is called in.</summary>
    /// <exception cref="CliException">There is none.</exception>
    public static Checkout Find() =>
        FindAbove(AppContext.BaseDirectory) ?? FindAbove(Directory.GetCurrentDirectory())
        ?? throw new CliException($"There is no Hazumu.sln in '{Directory.GetCurrentDirectory()}' or above it; call this command in a checkout of Hazumu.");

    private static Checkout? FindAbove(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Hazumu.sln")))
            {
                return new(folder.FullName);
            }
        }

        return null;
    }
}
