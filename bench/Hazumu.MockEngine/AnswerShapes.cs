using System.Collections.Concurrent;

namespace Hazumu.Mocks;

/// <summary>The answers' bytes that are made so far, under one set of options.</summary>
internal sealed class AnswerShapes(MockEngineOptions options)
{
    private readonly ConcurrentDictionary<(AnswerKind, string, bool), AnswerShape> _shapes = new();

    public AnswerShape Get(AnswerKind kind, string model, bool includeUsage) => _shapes.GetOrAdd(
        (kind, model, includeUsage),
        static (key, options) => new AnswerShape(key.Item1, key.Item2, key.Item3, options),
        options);
}
