#!/usr/bin/env bash
# Warm time from command to all healthy: the AppHost against 'docker compose up --wait' on the published application.
# Both run the same images under the same settings, in turn, so that a machine that slows down slows both.
#   bench/startup.sh [RUNS]     RUNS of each, 5 unless given, after one of each that does not count
# Settings are environment variables, as for ./hazumu; run './hazumu test' once before, so that the images are there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
RUNS=${1:-5}
LIMIT=180 # seconds for one start
COMPOSE=${HAZUMU_COMPOSE:-docker compose}
export Hazumu__Network=${Hazumu__Network:-hazumu-bench}
WORK=$(mktemp -d)
APPHOST=
trap 'stop_apphost; stop_compose; rm -rf "$WORK"' EXIT

now() { date +%s.%N; }

services() { # those that are not left out
  local section
  for section in Ollama CAdvisor Blackbox Prometheus Grafana; do
    local enabled="Hazumu__${section}__Enabled"
    [ "${!enabled:-true}" = false ] || echo "$section" | tr '[:upper:]' '[:lower:]'
  done
}

wait_until_gone() {
  local tries=0
  while [ -n "$(docker ps --all --quiet --filter "label=hazumu.network=$Hazumu__Network")" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 240 ] || { echo "Containers of the last run are still there after 60 s." >&2; exit 1; }
    sleep 0.25
  done
}

start_apphost() { # prints seconds
  local began
  began=$(now)
  dotnet run --no-build --project Hazumu.AppHost --launch-profile http > "$WORK/apphost.log" 2>&1 < /dev/null &
  APPHOST=$!
  timeout "$LIMIT" sh -c "until grep -q 'components are healthy' '$WORK/apphost.log'; do kill -0 $APPHOST || exit 1; sleep 0.02; done" ||
    { cat "$WORK/apphost.log" >&2; exit 1; }
  SECONDS_TAKEN=$(awk "BEGIN { print $(now) - $began }")
}

stop_apphost() {
  if [ -n "$APPHOST" ]; then
    kill -TERM "$APPHOST" 2> /dev/null || true
    wait "$APPHOST" 2> /dev/null || true
    APPHOST=
    wait_until_gone
  fi
}

compose() {
  # shellcheck disable=SC2086 # a command of one or two words
  $COMPOSE --project-name hazumu-bench --file "$WORK/compose/docker-compose.yaml" "$@"
}

start_compose() {
  local began
  began=$(now)
  # shellcheck disable=SC2046 # a list of words
  compose up --detach --wait --wait-timeout "$LIMIT" $(services) > "$WORK/compose.log" 2>&1 < /dev/null || { cat "$WORK/compose.log" >&2; exit 1; }
  SECONDS_TAKEN=$(awk "BEGIN { print $(now) - $began }")
}

stop_compose() {
  if [ -d "$WORK/compose" ]; then
    compose down > /dev/null 2>&1 < /dev/null || true
    wait_until_gone
  fi
}

cp -r deploy/compose "$WORK/compose"
sed -i "s/hazumu-network/$Hazumu__Network/g" "$WORK"/compose/docker-compose.yaml "$WORK"/compose/prometheus-targets/*.json
dotnet build Hazumu.AppHost --verbosity quiet --nologo

echo "machine    $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)"
echo "engine     $(docker version --format 'Docker {{.Server.Version}}'), Compose $($COMPOSE version --short), .NET SDK $(dotnet --version)"
echo "components $(services | paste -sd ' ' -)"
echo "measured   from the command to all healthy, images and volumes present (warm)"
printf '%4s %10s %10s %8s\n' run AppHost Compose ratio

for run in $(seq 0 "$RUNS"); do
  start_apphost; apphost=$SECONDS_TAKEN; stop_apphost
  start_compose; compose=$SECONDS_TAKEN; stop_compose
  if [ "$run" = 0 ]; then
    printf '%4s %9.2fs %9.2fs %8s\n' - "$apphost" "$compose" '(warm-up)'
  else
    printf '%4s %9.2fs %9.2fs %8.2f\n' "$run" "$apphost" "$compose" "$(awk "BEGIN { print $apphost / $compose }")" | tee -a "$WORK/rows"
  fi
done

median() { awk -v column="$1" '{ gsub("s", "", $column); print $column }' "$WORK/rows" | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
printf '%4s %9.2fs %9.2fs %8.2f   median; the aim is a ratio of 1.15 or less\n' '' "$(median 2)" "$(median 3)" "$(median 4)"
