using System.Text.Json;
using Hazumu.Gateway.Pipeline.Operations;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>Reads the beginning of a request's JSON body: all that routing and admission need of it.</summary>
/// <remarks>
/// It reads names as Ollama does, which is Go's <c>encoding/json</c>: without regard to case, null is as good as absent, the last one counts,
/// and what follows the object is not read. So that no spelling gets past a key's list of models, a name that decides something may be there
/// only once. It never throws.
/// </remarks>
internal static class RequestHead
{
    /// <summary>Levels of objects and arrays that a body may have: as many as Go's <c>encoding/json</c> takes.</summary>
    public const int MaxDepth = 10_000;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a body, or the beginning of one.</summary>
    /// <param name="json">The bytes at hand.</param>
    /// <param name="isWhole">Whether they are all of the body.</param>
    /// <param name="dialect">The dialect it is in.</param>
    /// <param name="place">The place of the model's name: <see cref="ModelPlace.Body"/> or
    /// <see cref="ModelPlace.Source"/>.</param>
    /// <param name="manages">Whether the operation manages models: further members may name models then.</param>
    /// <param name="namesEndUser">Whether the end user that it names is wanted.</param>
    public static RequestHeadResult Parse(
        ReadOnlySpan<byte> json, bool isWhole, Dialect dialect, ModelPlace place = ModelPlace.Body, bool manages = false, bool namesEndUser = false)
    {
        if (json.IsEmpty)
        {
            return isWhole ? Malformed("The request body is empty.") : default;
        }

        if (json.StartsWith(ByteOrderMark))
        {
            return Malformed("The request body begins with a byte order mark.");
        }

        var reader = new RequestHeadReader(json, isWhole, dialect, place, manages, namesEndUser);
        try
        {
            return reader.Read();
        }
        catch (JsonException exception)
        {
            return Malformed(reader.IsTooDeep
                ? $"The request body is nested deeper than {MaxDepth} levels."
                : $"The request body is not valid JSON (line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}).");
        }
        catch (InvalidOperationException)
        {
            // The reader throws this if it cannot decode a string.
            return Malformed("The request body has text that is not valid Unicode.");
        }
    }

    internal static RequestHeadResult Malformed(string problem) => new() { Problem = problem };
}
