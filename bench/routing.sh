#!/usr/bin/env bash
# Where the gateway sends requests beside round robin, least connections and random, in front of engines whose memory is too small for
# all models: a table, and JSON in bench/results.
#   bench/routing.sh [--quick] [--rounds N] [--seconds S] [--rate PER_SECOND] [--targets gateway,leastconn,random] [--gateway-env NAME=VALUE]...
# bench/README.md says what is measured and has the other options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec dotnet run --configuration Release --project bench/Hazumu.Bench -- routing "$@"
