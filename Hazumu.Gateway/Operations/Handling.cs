namespace Hazumu.Gateway.Operations;

/// <summary>What the gateway does with an operation.</summary>
internal enum Handling
{
    /// <summary>Runs a model: waits for a slot, is measured token by token.</summary>
    Infer,

    /// <summary>Is read from every instance, and the answers are merged.</summary>
    Merge,

    /// <summary>Goes to one instance: that which has the model, else the first that is well.</summary>
    Forward,

    /// <summary>Goes to every instance that has the model.</summary>
    Everywhere,

    /// <summary>Is answered by the gateway itself, as Ollama would: <c>/</c>.</summary>
    Banner,

    /// <summary>Is answered by the gateway itself with 204: <c>OPTIONS</c>, a browser's question before the request itself among them.</summary>
    Options,
}
