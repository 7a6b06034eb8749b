// Uses an official client for Node.js as its documentation shows, with the gateway's address, and prints what it got as JSON.
// Usage: node client.cjs FOLDER-WITH-NODE_MODULES CLIENT; GATEWAY, KEY and WRONG_KEY are in the environment.
const { createRequire } = require("node:module");

const [, , folder, client] = process.argv;
const { GATEWAY: gateway, KEY: key, WRONG_KEY: wrongKey } = process.env;
const load = createRequire(`${folder}/`);
const messages = [{ role: "user", content: "hi" }];

async function failure(action) {
  try {
    await action();
    return null;
  } catch (error) {
    return { status: error.status ?? error.status_code ?? null, name: error.constructor.name, message: error.message };
  }
}

async function ollama() {
  const { Ollama } = load("ollama");
  const connect = (bearer) => new Ollama({ host: gateway, headers: { Authorization: `Bearer ${bearer}` } });
  const api = connect(key);
  const pieces = [];
  let done;
  for await (const part of await api.chat({ model: "mock", messages, stream: true })) {
    pieces.push(part.message.content);
    done = part;
  }

  return {
    chat: (await api.chat({ model: "mock", messages })).message.content,
    streamed: pieces.join(""),
    usage: [done.prompt_eval_count, done.eval_count],
    generated: (await api.generate({ model: "mock", prompt: "hi" })).response,
    embedded: (await api.embed({ model: "mock", input: ["a", "b"] })).embeddings.length,
    models: (await api.list()).models.map((model) => model.name).sort(),
    shown: (await api.show({ model: "mock" })).details !== undefined,
    running: (await api.ps()).models.map((model) => model.name),
    missing: await failure(() => api.chat({ model: "nobody", messages })),
    refused: await failure(() => connect(wrongKey).chat({ model: "mock", messages })),
    keyless: await failure(() => new Ollama({ host: gateway }).list()),
  };
}

async function openai() {
  const OpenAI = load("openai");
  const connect = (options) => new OpenAI({ baseURL: `${gateway}/v1`, maxRetries: 0, ...options });
  const api = connect({ apiKey: key });
  const pieces = [];
  let usage;
  for await (const chunk of await api.chat.completions.create({ model: "mock", messages, stream: true, stream_options: { include_usage: true } })) {
    pieces.push(chunk.choices[0]?.delta?.content ?? "");
    usage = chunk.usage ?? usage;
  }

  const withoutUsage = [];
  for await (const chunk of await api.chat.completions.create({ model: "mock", messages, stream: true })) {
    withoutUsage.push({ choices: chunk.choices.length, usage: chunk.usage ?? null });
  }

  const azure = connect({ apiKey: "unused", defaultHeaders: { Authorization: null, "api-key": key } });
  const chat = await api.chat.completions.create({ model: "mock", messages });
  return {
    chat: chat.choices[0].message.content,
    streamed: pieces.join(""),
    usage: [usage.prompt_tokens, usage.completion_tokens],
    unaskedUsage: withoutUsage.some((chunk) => chunk.usage !== null || chunk.choices === 0),
    embedded: (await api.embeddings.create({ model: "mock", input: ["a", "b"], encoding_format: "float" })).data.length,
    models: (await api.models.list()).data.map((model) => model.id).sort(),
    azure: (await azure.chat.completions.create({ model: "mock", messages })).choices[0].message.content,
    missing: await failure(() => api.chat.completions.create({ model: "nobody", messages })),
    refused: await failure(() => connect({ apiKey: wrongKey }).chat.completions.create({ model: "mock", messages })),
  };
}

async function anthropic() {
  const Anthropic = load("@anthropic-ai/sdk");
  const connect = (options) => new Anthropic({ baseURL: gateway, maxRetries: 0, ...options });
  const request = { model: "mock", max_tokens: 100, messages };
  const api = connect({ apiKey: key });
  const stream = api.messages.stream(request);
  const pieces = [];
  stream.on("text", (text) => pieces.push(text));
  const final = await stream.finalMessage();

  const text = (message) => message.content.map((block) => block.text).join("");
  const message = await api.messages.create(request);
  return {
    chat: text(message),
    streamed: pieces.join(""),
    final: text(final),
    usage: [final.usage.input_tokens, final.usage.output_tokens],
    bearer: text(await connect({ authToken: key }).messages.create(request)),
    besideForeignToken: text(await connect({ authToken: "sk-ant-oat01-foreign", defaultHeaders: { "x-api-key": key } }).messages.create(request)),
    besideForeignKey: text(await connect({ authToken: key, defaultHeaders: { "x-api-key": "sk-ant-api03-foreign" } }).messages.create(request)),
    missing: await failure(() => api.messages.create({ ...request, model: "nobody" })),
    refused: await failure(() => connect({ apiKey: wrongKey }).messages.create(request)),
  };
}

({ ollama, openai, anthropic })[client]().then((result) => console.log(JSON.stringify(result)), (error) => {
  console.error(error);
  process.exit(1);
});
