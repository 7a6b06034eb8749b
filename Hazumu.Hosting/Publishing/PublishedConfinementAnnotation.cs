namespace Hazumu.Hosting.Publishing;

/// <summary>
/// The permissions and limits of a published container. Each one also has a read-only root file system, no capability
/// but those named here, and no way to new privileges.
/// </summary>
/// <param name="User">User and group, by number: <c>65534:65534</c>.</param>
/// <param name="Memory">The default of the limit on memory, as Docker writes it; <c>0</c> for none.</param>
/// <param name="Cpus">The default of the limit on processors; <c>0</c> for none. No more than one: an engine with fewer
/// refuses the container.</param>
/// <param name="Pids">The default of the limit on processes and threads.</param>
internal sealed record PublishedConfinementAnnotation(string User, string Memory, string Cpus, int Pids) : IResourceAnnotation
{
    /// <summary>The user <c>nobody</c> of images that have no user of their own for their program.</summary>
    public const string Nobody = "65534:65534";

    /// <summary>The administrator.</summary>
    public const string Root = "0:0";

    /// <summary>
    /// Folders outside the volume to which the program writes: in memory, removed with the container.
    /// </summary>
    public IReadOnlyList<string> WritesTo { get; init; } = [];

    /// <summary>The capabilities that the component cannot do without.</summary>
    public IReadOnlyList<string> Capabilities { get; init; } = [];

    /// <summary>
    /// The default of the time, in seconds, that the program has to stop before it is killed; <see langword="null"/>
    /// for the engine's ten.
    /// </summary>
    public int? StopSeconds { get; init; }

    /// <summary>
    /// Whether the volume has to be given to the user first: the engine makes one that belongs to root where the image
    /// has nothing at the mount's place. A container of the same image does that before each start, and ends.
    /// </summary>
    public bool TakesVolume { get; init; }
}
