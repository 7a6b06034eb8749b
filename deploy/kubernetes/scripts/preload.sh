#!/bin/sh
# preload.sh MODEL ...: has the models in this replica's claim before Ollama serves. Only what is missing is pulled, so that a restart
# needs no registry. A model that cannot be pulled stops the pod here, and with it a rolling update at its first replica.
set -eu

fail() {
  echo "preload: $1" >&2
  exit 1
}

ollama serve > /tmp/serve.log 2>&1 &
server=$!
until ollama list > /dev/null 2>&1; do
  kill -0 "$server" 2> /dev/null || fail "Ollama does not start: $(tail -n 1 /tmp/serve.log)"
  sleep 1
done

for model in "$@"; do
  if ollama show "$model" > /dev/null 2>&1; then
    echo "preload: $model is there."
  else
    echo "preload: pulling $model."
    ollama pull "$model" || fail "$model cannot be pulled."
  fi
done

kill "$server"
wait "$server" || true # it ends by that signal
