namespace Hazumu.Mocks;

/// <summary>A model on the engine's disk.</summary>
/// <param name="Name">Its name; <c>:latest</c> is meant where there is no tag, as with Ollama.</param>
public sealed record MockModel(string Name)
{
    /// <summary>Bytes on disk, and in memory when it is loaded.</summary>
    public long Size { get; init; } = 1_300_000_000;

    /// <summary>Bytes of it that are in the memory of a GPU when it is loaded; all of it unless told.</summary>
    public long? SizeVram { get; init; }

    /// <summary>SHA-256 of its manifest, in hexadecimal; that of its name unless set.</summary>
    public string? Digest { get; init; }

    /// <summary>When it was last changed.</summary>
    public DateTimeOffset ModifiedAt { get; init; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Time to load it; <see cref="MockEngineOptions.LoadTime"/> unless told.</summary>
    public TimeSpan? LoadTime { get; init; }

    /// <summary>Family that the listings tell.</summary>
    public string Family { get; init; } = "llama";

    /// <summary>Whether it only embeds: it lacks the capability <c>completion</c>.</summary>
    public bool Embeds { get; init; }

    /// <summary>Slots of it; <see cref="MockEngineOptions.Parallel"/> unless told.</summary>
    public int? Parallel { get; init; }

    /// <summary>Context length that <c>/api/ps</c> tells.</summary>
    public int ContextLength { get; init; } = 4096;
}
