using Hazumu.Gateway.Keys;
using Hazumu.Gateway.Streams;

namespace Hazumu.Gateway.Pipeline.Operations;

/// <summary>One operation of the APIs. <see cref="OperationTable"/> holds them all.</summary>
/// <param name="Name">The operation's name in the access log: <c>chat</c>, <c>pull</c>.</param>
/// <param name="Dialect">The API that it is part of.</param>
/// <param name="Scope">The scope a key needs for it.</param>
/// <param name="Handling">How the gateway handles it.</param>
/// <param name="GenAiName">The value of <c>gen_ai.operation.name</c>: <c>chat</c>, <c>text_completion</c>,
/// <c>embeddings</c>; the operation's own name if the conventions have none.</param>
/// <param name="Model">The place of the model's name.</param>
internal sealed record Operation(string Name, Dialect Dialect, Scope Scope, Handling Handling, string GenAiName, ModelPlace Model = ModelPlace.None)
{
    /// <summary>Whether it may be silent for hours, as a digest of hundreds of gigabytes is verified or written.</summary>
    public bool IsLong => Scope == Scope.Admin;

    /// <summary>Whether its streams show by their last object, and in no other way, that they are whole.</summary>
    public bool HasEndMark => Name is "chat" or "generate" or "responses" or "pull" or "push" or "create";
}

/// <summary>The place of the model's name in a request.</summary>
internal enum ModelPlace
{
    /// <summary>Nowhere.</summary>
    None,

    /// <summary>The property <c>model</c> of the body's JSON object; in native requests also <c>name</c>, its older form.</summary>
    Body,

    /// <summary>The field <c>model</c> of a form (<c>multipart/form-data</c>).</summary>
    Form,

    /// <summary>The property <c>source</c> of the body: the model that is copied.</summary>
    Source,

    /// <summary>In a JSON object or a form, where the body is one and names a model.</summary>
    Any,

    /// <summary>The rest of the path.</summary>
    Path,
}
