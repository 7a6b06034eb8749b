namespace Hazumu.Mocks;

/// <summary>How a <see cref="MockEngine"/> behaves. All but what is said otherwise may be changed at run time.</summary>
public sealed record MockEngineOptions
{
    /// <summary>Port on loopback; a free one when 0. Read at the start.</summary>
    public int Port { get; init; }

    /// <summary>Addresses of loopback that it listens at, 127.0.0.1 and those after it: many instances for who looks from outside. With <see cref="Port"/>; read at the start.</summary>
    public int Addresses { get; init; } = 1;

    /// <summary>Whether it listens at every address instead, as a server in a container does. Read at the start.</summary>
    public bool Anywhere { get; init; }

    /// <summary>Whether as few threads as possible do the work, for benchmarks. Read at the start.</summary>
    public bool Lean { get; init; }

    /// <summary>What <c>/api/version</c> tells.</summary>
    public string Version { get; init; } = "0.32.15";

    /// <summary>Whether it speaks OpenAI's API alone, and has neither Ollama's nor Anthropic's routes.</summary>
    public bool SpeaksOpenAIOnly { get; init; }

    /// <summary>Models on disk. Read at the start and when this list is replaced; pulls, copies and deletions change the engine's own list.</summary>
    public IReadOnlyList<MockModel> Models { get; init; } = [new("mock")];

    /// <summary>Models that fit into memory at a time (OLLAMA_MAX_LOADED_MODELS). The one that was used last is evicted last.</summary>
    public int MemoryModels { get; init; } = 3;

    /// <summary>Slots of a model (OLLAMA_NUM_PARALLEL). Further requests for a loaded model wait, without a bound.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Whether <c>/api/tags</c> tells capabilities; an older Ollama does so in <c>/api/show</c> only.</summary>
    public bool TagsTellCapabilities { get; init; } = true;

    /// <summary>Requests that may wait for a load (OLLAMA_MAX_QUEUE); further ones get 503. Those for a loaded model are not among them.</summary>
    public int MaxQueue { get; init; } = 512;

    /// <summary>How long a model stays in memory after its last request, unless the request tells.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time to load a model that has no time of its own. One model is loaded at a time.</summary>
    public TimeSpan LoadTime { get; init; }

    /// <summary>What an answer tells as <c>load_duration</c> when its model was loaded already: a few ms with Ollama, left out when zero.</summary>
    public TimeSpan WarmLoadDuration { get; init; }

    /// <summary>Time to read a prompt.</summary>
    public TimeSpan PrefillTime { get; init; }

    /// <summary>Whether a prefill goes on, and its slot stays busy, when the client has gone away (ollama#11889).</summary>
    public bool PrefillOutlivesClient { get; init; }

    /// <summary>Tokens of an answer; a request's own limit (<c>num_predict</c>, <c>max_tokens</c>) makes it shorter, not longer.</summary>
    public int Tokens { get; init; } = 16;

    /// <summary>Time from one token to the next; as fast as possible when zero.</summary>
    public TimeSpan TokenTime { get; init; }

    /// <summary>Text of every token, told as bytes of ASCII; the time stamp needs 20.</summary>
    public int TokenBytes { get; init; } = 5;

    /// <summary>Text of every token instead of <see cref="TokenBytes"/>.</summary>
    public string? TokenText { get; init; }

    /// <summary>
    /// Whether the text of every token begins with <c>@</c> and 19 digits: <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> at the moment it is
    /// sent. On Linux that clock is one for all processes.
    /// </summary>
    public bool Timestamps { get; init; }

    /// <summary>Tokens of a prompt.</summary>
    public int PromptTokens { get; init; } = 26;

    /// <summary>Tokens of a prompt that come from the cache, contained in <see cref="PromptTokens"/>; left out of the answer when 0.</summary>
    public int CachedPromptTokens { get; init; }

    /// <summary>Time that a pull takes.</summary>
    public TimeSpan PullTime { get; init; }

    /// <summary>Lines of progress of a pull.</summary>
    public int PullSteps { get; init; } = 5;

    /// <summary>Whether a blob must have the digest that its path tells, as with Ollama. Hashing costs a second per gigabyte or so.</summary>
    public bool CheckDigests { get; init; } = true;

    /// <summary>What goes wrong. Replacing this list replaces whatever was injected.</summary>
    public IReadOnlyList<MockFault> Faults { get; init; } = [];

    /// <summary>Requests that are remembered, the newest ones.</summary>
    public int RememberedRequests { get; init; } = 20_000;

    /// <summary>Whether the bodies of remembered requests and answers are kept: of each up to this many bytes.</summary>
    public int RememberedBodyBytes { get; init; } = 1 << 20;
}
