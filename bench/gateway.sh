#!/usr/bin/env bash
# The gateway beside bare YARP, nginx, HAProxy and no proxy at all, in front of one mock engine, on this machine: a table, and JSON in bench/results.
#   bench/gateway.sh [--quick] [--rounds N] [--seconds S] [--targets gateway,yarp,nginx,haproxy] [--gateway-env NAME=VALUE]...
#   bench/gateway.sh --soak MINUTES [--targets gateway] [--keys] [--instances N]
# bench/README.md says what is measured and has the other options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec dotnet run --configuration Release --project bench/Hazumu.Bench -- gateway "$@"
