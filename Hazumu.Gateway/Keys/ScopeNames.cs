namespace Hazumu.Gateway.Keys;

/// <summary>Scopes as people write them: <c>infer</c>, <c>read</c>, <c>admin</c>.</summary>
internal static class ScopeNames
{
    private static readonly (string Name, Scope Scope)[] s_all = [("infer", Scope.Infer), ("read", Scope.Read), ("admin", Scope.Admin)];

    /// <summary>Every scope, for messages.</summary>
    public static string Allowed { get; } = string.Join(", ", s_all.Select(entry => entry.Name));

    /// <summary>The names of a key's scopes.</summary>
    public static IEnumerable<string> Of(Scope scopes) => s_all.Where(entry => scopes.HasFlag(entry.Scope)).Select(entry => entry.Name);

    /// <summary>Reads scopes; at least one.</summary>
    /// <param name="names">The names, without regard to case.</param>
    /// <param name="scopes">All of them.</param>
    public static bool TryParse(IEnumerable<string> names, out Scope scopes)
    {
        scopes = Scope.None;
        foreach (var name in names)
        {
            var scope = Array.Find(s_all, entry => entry.Name.Equals(name.Trim(), StringComparison.OrdinalIgnoreCase)).Scope;
            if (scope == Scope.None)
            {
                scopes = Scope.None;
                return false;
            }

            scopes |= scope;
        }

        return scopes != Scope.None;
    }
}
