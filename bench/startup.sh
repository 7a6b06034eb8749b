#!/usr/bin/env bash
# Warm time from command to all healthy: the AppHost against 'docker compose up --wait' on the published application.
# Both run the same images under the same settings, in turn, so that a machine that slows down slows both.
#   bench/startup.sh [RUNS]     RUNS of each, 5 unless given, after one of each that does not count
# Settings are environment variables, as for ./hazumu; run './hazumu test' once before, so that the images are there.
# What it starts has a network, ports and volumes of its own, so that a running Hazumu and its data stay as they are.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=eng/lib.sh
. "$ROOT/eng/lib.sh"
cd "$ROOT"
RUNS=${1:-5}
LIMIT=180 # seconds for one start
choose_engine

WORK=$(mktemp -d)
dotnet build Hazumu.AppHost --verbosity quiet --nologo
# Before the settings below are exported, which would be published too.
dotnet run --no-build --project Hazumu.AppHost --no-launch-profile -- --operation publish --step publish --output-path "$WORK/compose" > "$WORK/publish.log" 2>&1 < /dev/null
[ -f "$WORK/compose/docker-compose.yaml" ] || { cat "$WORK/publish.log" >&2; exit 1; }

NAME=hazumu-bench # of the network and the Compose project; the volumes' names begin with it
export Hazumu__Network=$NAME
export Hazumu__Ollama__Port=${Hazumu__Ollama__Port:-21434} Hazumu__Ollama__Volume=${NAME}_ollama
export Hazumu__Prometheus__Port=${Hazumu__Prometheus__Port:-29090} Hazumu__Prometheus__Volume=${NAME}_prometheus
export Hazumu__Grafana__Port=${Hazumu__Grafana__Port:-23000} Hazumu__Grafana__Volume=${NAME}_grafana
export Hazumu__CAdvisor__Port=${Hazumu__CAdvisor__Port:-28080}
export Hazumu__Blackbox__Port=${Hazumu__Blackbox__Port:-29115}
# The AppHost finds out by itself whether the kernel allows privileged containers (CAP_SYS_RESOURCE); Compose has to be told. Both get
# the same.
if [ -z "${Hazumu__CAdvisor__Privileged:-}" ] && [ $((16#$(awk '/^CapBnd:/ { print $2 }' /proc/self/status) >> 24 & 1)) -eq 0 ]; then
  export Hazumu__CAdvisor__Privileged=false
fi

case ${HAZUMU_COMPOSE:-$ENGINE compose} in
  'docker compose' | 'podman compose') COMPOSE=("$ENGINE" compose) ;;
  *) COMPOSE=("$HAZUMU_COMPOSE") ;;
esac
APPHOST=

clean_up() {
  local status=$? volume
  # One step that fails must not keep the next from running.
  set +e
  trap '' INT TERM HUP
  stop_apphost
  stop_compose
  for volume in ollama prometheus grafana; do "$ENGINE" volume rm "${NAME}_$volume"; done > /dev/null 2>&1 < /dev/null
  "$ENGINE" network rm "$NAME" > /dev/null 2>&1 < /dev/null
  rm -rf "$WORK"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

now() { date +%s.%N; }

services() { # those that are not left out
  local section
  for section in Ollama CAdvisor Blackbox Prometheus Grafana; do
    local enabled="Hazumu__${section}__Enabled"
    [ "${!enabled:-true}" = false ] || echo "$section" | tr '[:upper:]' '[:lower:]'
  done
}

containers() { "$ENGINE" ps --all --quiet --filter "label=hazumu.network=$NAME" < /dev/null; }

wait_until_gone() {
  local deadline=$((SECONDS + 60))
  while [ -n "$(containers)" ]; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "Containers of the last run are still there after 60 s." >&2; return 1; }
    sleep 0.25
  done
}

start_apphost() { # its seconds are left in SECONDS_TAKEN
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

compose() { "${COMPOSE[@]}" --project-name "$NAME" --file "$WORK/compose/docker-compose.yaml" --file "$WORK/compose/docker-compose.development.yaml" "$@"; }

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

[ -z "$(containers)" ] || { echo "Containers of another run of this benchmark are there." >&2; exit 1; }
sed -i -E "s/hazumu-network/$NAME/g; s/hazumu-edge/$NAME-edge/g; s/hazumu-exporters/$NAME-exporters/g; s/hazumu-logs/$NAME-logs/g; s/(ollama|prometheus|grafana)_data/${NAME}_\1/g" "$WORK"/compose/docker-compose.yaml "$WORK"/compose/prometheus-targets/*.json

echo "machine    $(nproc) cores, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)"
echo "engine     $ENGINE $("$ENGINE" version --format '{{.Server.Version}}'), Compose $("${COMPOSE[@]}" version --short), .NET SDK $(dotnet --version)"
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
