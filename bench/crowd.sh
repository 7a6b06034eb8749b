#!/usr/bin/env bash
# What clients meet beside the engine alone: a chat during a cold load, a flood of embeddings, and an outage. A table, and JSON in bench/results.
#   bench/crowd.sh [--rounds N] [--embeddings N] [--gateway-dll PATH] [--output FILE]
# bench/README.md says what is measured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec dotnet run --configuration Release --project bench/Hazumu.Bench -- crowd "$@"
