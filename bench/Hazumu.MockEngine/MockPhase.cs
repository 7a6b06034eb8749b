namespace Hazumu.Mocks;

/// <summary>How far a request has come in the engine.</summary>
public enum MockPhase
{
    /// <summary>Its head has arrived, its body is being read.</summary>
    Receiving,

    /// <summary>It waits for a slot, or for another model's load.</summary>
    Waiting,

    /// <summary>Its model is being loaded.</summary>
    Loading,

    /// <summary>Its prompt is being read; nothing of the answer is sent.</summary>
    Prefill,

    /// <summary>Its answer is being sent, or made where it is not streamed.</summary>
    Streaming,

    /// <summary>It is over.</summary>
    Ended,
}

/// <summary>How a request ended.</summary>
public enum MockOutcome
{
    /// <summary>It has not ended.</summary>
    Running,

    /// <summary>A whole answer was sent, an error's included.</summary>
    Answered,

    /// <summary>The client went away; <see cref="MockRequest.DisconnectedIn"/> tells when.</summary>
    Disconnected,

    /// <summary>An injected fault ended it without a whole answer.</summary>
    Broken,
}
