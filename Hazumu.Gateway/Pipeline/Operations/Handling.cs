namespace Hazumu.Gateway.Pipeline.Operations;

/// <summary>How the gateway handles an operation.</summary>
internal enum Handling
{
    /// <summary>Runs a model: waits for a slot, is measured token by token.</summary>
    Infer,

    /// <summary>Is read from every instance, and the answers are merged.</summary>
    Merge,

    /// <summary>Goes to one instance that has the model, else the first that is well; what changes a model goes to all that have it.</summary>
    Forward,

    /// <summary>Is not known here, and passed on where its key allows that; where its body names a model, as what runs one.</summary>
    Unknown,

    /// <summary>Is answered by the gateway itself, from its store of usage.</summary>
    Usage,

    /// <summary>Is answered by the gateway itself, as Ollama would: <c>/</c>.</summary>
    Banner,

    /// <summary>Is answered by the gateway itself with 204: <c>OPTIONS</c>, a browser's question before the request itself among them.</summary>
    Options,
}
