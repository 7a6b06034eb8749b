namespace Hazumu.Settings;

/// <summary>The program that an engine is: it decides which APIs the engine speaks and how its state is read.</summary>
public enum EngineKind
{
    /// <summary>Ollama, written <c>ollama</c>.</summary>
    Ollama,

    /// <summary>llama.cpp's server, written <c>llama-server</c>.</summary>
    LlamaServer,

    /// <summary>vLLM, written <c>vllm</c>.</summary>
    Vllm,

    /// <summary>Any other server of OpenAI's API, such as SGLang, LM Studio or a remote gateway, written <c>openai</c>.</summary>
    Openai,
}
