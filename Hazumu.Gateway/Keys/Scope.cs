namespace Hazumu.Gateway.Keys;

/// <summary>The rights of a key; each operation needs exactly one.</summary>
[Flags]
internal enum Scope
{
    /// <summary>Needs no key: liveness and health.</summary>
    None = 0,

    /// <summary>Runs models.</summary>
    Infer = 1,

    /// <summary>Looks at models and instances.</summary>
    Read = 2,

    /// <summary>Changes what is stored: pull, push, create, copy, delete.</summary>
    Admin = 4,
}
