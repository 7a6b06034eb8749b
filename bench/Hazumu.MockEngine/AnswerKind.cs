namespace Hazumu.Mocks;

/// <summary>The shapes of a generated answer.</summary>
internal enum AnswerKind
{
    Chat,
    Generate,
    OpenAIChat,
    OpenAICompletion,
    AnthropicMessages,
}
