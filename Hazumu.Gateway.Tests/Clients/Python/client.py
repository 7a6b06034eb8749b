"""Uses a client for Python as its documentation shows, with the gateway's address, and prints what it got as JSON.

Usage: python3 client.py CLIENT; GATEWAY, KEY and WRONG_KEY are in the environment.
"""

import json
import os
import sys

GATEWAY, KEY, WRONG_KEY = os.environ["GATEWAY"], os.environ["KEY"], os.environ["WRONG_KEY"]
MESSAGES = [{"role": "user", "content": "hi"}]


def refused(action):
    try:
        action()
        return None
    except Exception as error:  # whatever class the client has for it
        return getattr(error, "status_code", None)


def run_openai():
    import openai

    def connect(key):
        return openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=key, max_retries=0)

    api = connect(KEY)
    chat = api.chat.completions.create(model="mock", messages=MESSAGES).choices[0].message.content
    stream = api.chat.completions.create(model="mock", messages=MESSAGES, stream=True)
    return {
        "chat": chat,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in stream),
        "refused": refused(lambda: connect(WRONG_KEY).chat.completions.create(model="mock", messages=MESSAGES)),
    }


def run_anthropic():
    import anthropic

    def connect(key):
        return anthropic.Anthropic(base_url=GATEWAY, api_key=key, max_retries=0)

    api = connect(KEY)
    chat = api.messages.create(model="mock", max_tokens=100, messages=MESSAGES).content[0].text
    with api.messages.stream(model="mock", max_tokens=100, messages=MESSAGES) as stream:
        streamed = "".join(stream.text_stream)
    return {
        "chat": chat,
        "streamed": streamed,
        "refused": refused(lambda: connect(WRONG_KEY).messages.create(model="mock", max_tokens=100, messages=MESSAGES)),
    }


def run_ollama():
    import ollama

    def connect(key):
        return ollama.Client(host=GATEWAY, headers={"Authorization": f"Bearer {key}"})

    api = connect(KEY)
    return {
        "chat": api.chat(model="mock", messages=MESSAGES).message.content,
        "streamed": "".join(part.message.content for part in api.chat(model="mock", messages=MESSAGES, stream=True)),
        "refused": refused(lambda: connect(WRONG_KEY).chat(model="mock", messages=MESSAGES)),
    }


def run_langchain_ollama():
    from langchain_ollama import ChatOllama

    def connect(key):
        # As its documentation says: the key as the password of the URL, which it sends as Basic.
        return ChatOllama(model="mock", base_url=GATEWAY.replace("://", f"://any:{key}@"))

    api = connect(KEY)
    return {
        "chat": api.invoke("hi").content,
        "streamed": "".join(chunk.content for chunk in api.stream("hi")),
        "refused": refused(lambda: connect(WRONG_KEY).invoke("hi")),
    }


def run_litellm():
    import litellm

    def ask(key, **options):
        return litellm.completion(model="ollama_chat/mock", api_base=GATEWAY, api_key=key, messages=MESSAGES, num_retries=0, **options)

    return {
        "chat": ask(KEY).choices[0].message.content,
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in ask(KEY, stream=True)),
        "refused": 401 if refused(lambda: ask(WRONG_KEY)) else None,
    }


print(json.dumps(globals()[f"run_{sys.argv[1]}"]()))
