using System.Buffers;
using System.Text;
using Hazumu.Gateway.Keys;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Hazumu.Gateway.Pipeline.Bodies;

/// <summary>Reads a request's form (<c>multipart/form-data</c>): the field <c>model</c>.</summary>
/// <remarks>
/// Ollama reads forms with Go's <c>mime/multipart</c>, which takes more than ASP.NET Core's reader does. So that the gateway sees no other
/// model than Ollama, what the two would read differently is malformed.
/// </remarks>
internal static class RequestForm
{
    // Of each part. Go takes more; no client sends as much.
    private const int MostHeaders = 64;
    private const int LongestHeaders = 64 * 1024;

    // As in RFC 2046.
    private const int LongestBoundary = 70;
    private static readonly SearchValues<char> s_boundaryCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=?");

    private static readonly SearchValues<char> s_headerCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");

    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads a form.</summary>
    /// <param name="open">Opens the whole body from its start.</param>
    /// <param name="contentType">The request's content type.</param>
    /// <param name="query">The request's query: Go looks for the field there too, and there first.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>The result: <see cref="RequestHeadResult.Problem"/>, <see cref="RequestHeadResult.Model"/> and
    /// <see cref="RequestHeadResult.IsWhole"/>.</returns>
    public static async ValueTask<RequestHeadResult> FindModelAsync(Func<Stream> open, string? contentType, string? query, CancellationToken cancellationToken)
    {
        if (QueryHelpers.ParseQuery(query).ContainsKey("model"))
        {
            return RequestHead.Malformed("\"model\" belongs in the form, not in the query.");
        }

        if (BoundaryOf(contentType) is not { } boundary)
        {
            return RequestHead.Malformed("The request must be a form (multipart/form-data) with a boundary.");
        }

        // Go would read line feeds alone where the first line ends so, and pass over what is before it.
        var firstLine = Encoding.ASCII.GetBytes($"--{boundary}\r\n");
        var first = new byte[firstLine.Length];
        await using (var beginning = open())
        {
            await beginning.ReadAtLeastAsync(first, first.Length, throwOnEndOfStream: false, cancellationToken);
        }

        if (!first.AsSpan().SequenceEqual(firstLine))
        {
            return RequestHead.Malformed("The request's form does not begin with its boundary.");
        }

        try
        {
            await using var form = open();
            return await FindModelAsync(form, boundary, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or DecoderFallbackException)
        {
            return RequestHead.Malformed("The request's form is broken.");
        }
    }

    private static async ValueTask<RequestHeadResult> FindModelAsync(Stream form, string boundary, CancellationToken cancellationToken)
    {
        var reader = new MultipartReader(boundary, form) { HeadersCountLimit = MostHeaders, HeadersLengthLimit = LongestHeaders };
        string? model = null;
        Range range = default;
        while (await reader.ReadNextSectionAsync(cancellationToken) is { } section)
        {
            var field = FieldOf(section);
            var problem = field is null ? "The request's form has a part that is not a field." : null;
            if (field == "model")
            {
                (var value, range, problem) = await ReadModelAsync(section, cancellationToken);
                problem ??= model is null ? null : "\"model\" is given twice.";
                model = value;
            }

            if (problem is not null)
            {
                return RequestHead.Malformed(problem);
            }
        }

        return new() { Model = model, ModelRange = range, IsWhole = true };
    }

    private static string? BoundaryOf(string? contentType)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var mediaType)
            || !mediaType.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            || mediaType.Parameters.Count(parameter => parameter.Name.StartsWith("boundary", StringComparison.OrdinalIgnoreCase)) != 1)
        {
            return null;
        }

        var boundary = HeaderUtilities.RemoveQuotes(mediaType.Boundary).ToString();
        return boundary.Length is > 0 and <= LongestBoundary && !boundary.AsSpan().ContainsAnyExcept(s_boundaryCharacters) ? boundary : null;
    }

    // The name of a part. Null where it has none, or Go might see another.
    private static string? FieldOf(MultipartSection section)
    {
        if (section.Headers is null || !section.Headers.TryGetValue(HeaderNames.ContentDisposition, out var dispositions) || dispositions.Count != 1)
        {
            return null;
        }

        // A line that Go takes for the rest of the one before has no proper name; one that only Go ends has a control character.
        foreach (var (name, values) in section.Headers)
        {
            if (name.AsSpan().ContainsAnyExcept(s_headerCharacters) || values.Any(value => value.AsSpan().ContainsAnyInRange('\0', '\x1F')))
            {
                return null;
            }
        }

        return ContentDispositionHeaderValue.TryParse(dispositions[0], out var disposition)
            && disposition.DispositionType.Equals("form-data", StringComparison.OrdinalIgnoreCase)
            && disposition.Parameters.Count(parameter => parameter.Name.StartsWith("name", StringComparison.OrdinalIgnoreCase)) == 1
            && disposition.Name.HasValue
                ? HeaderUtilities.UnescapeAsQuotedString(disposition.Name).ToString()
                : null;
    }

    private static async ValueTask<(string? Model, Range Range, string? Problem)> ReadModelAsync(
        MultipartSection section, CancellationToken cancellationToken)
    {
        // Go would take it for a file, or not where its name is empty.
        if (section.ContentDisposition!.Contains("filename", StringComparison.OrdinalIgnoreCase))
        {
            return (null, default, "\"model\" must be a plain field.");
        }

        // The reader knows the place, since a body's stream knows its position.
        var bytes = new byte[(ModelText.MaxLength * 4) + 1];
        var length = await section.Body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        var model = s_strictUtf8.GetString(bytes.AsSpan(0, length));

        // Go decodes only this encoding. Without encoded characters, the text is unchanged; no name of a model contains
        // an equals sign.
        if (section.Headers!.TryGetValue("Content-Transfer-Encoding", out var encodings)
            && encodings.Contains("quoted-printable", StringComparer.OrdinalIgnoreCase)
            && (model.Contains('=', StringComparison.Ordinal) || model.AsSpan().Trim().Length != model.Length))
        {
            return (null, default, "\"model\" must not be encoded as quoted-printable.");
        }

        var start = (int)section.BaseStreamOffset!.Value;
        var problem = ModelText.ProblemOf(model);
        return (model, start..(start + length), problem is null ? null : $"\"model\" {problem}.");
    }
}
