#!/usr/bin/env bash
# What gateways need as a deployment grows from one instance to a hundred and to 10,000 streams, in simulation: tables, and JSON in bench/results.
#   bench/sizing.sh [--quick] [--steps INSTANCES:GATEWAYS:STREAMS,...] [--token SECONDS] [--seconds S] [--gateway-env NAME=VALUE]...
# bench/README.md says what is measured and has the other options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec dotnet run --configuration Release --project bench/Hazumu.Bench -- sizing "$@"
