namespace Hazumu.Mocks;

/// <summary>What the end of an answer tells.</summary>
/// <param name="DoneReason"><c>stop</c> or <c>length</c>.</param>
/// <param name="Tokens">Tokens of the answer.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CachedTokens">Those of them that came from the cache.</param>
/// <param name="Total">Whole time.</param>
/// <param name="Load">Time to load the model.</param>
/// <param name="Prefill">Time to read the prompt.</param>
/// <param name="Decode">Time to make the tokens.</param>
internal readonly record struct AnswerFacts(
    string DoneReason,
    int Tokens,
    int PromptTokens,
    int CachedTokens,
    TimeSpan Total,
    TimeSpan Load,
    TimeSpan Prefill,
    TimeSpan Decode);
