#!/bin/sh
# Leaves components out for good: they are not started, Prometheus does not look for them, and no alert misses them.
#
#   sh leave-out.sh cadvisor nodeexporter    those, and no others
#   sh leave-out.sh                          none
#
# It writes the folder left-out, or the one that LEFT_OUT_FOLDER names, from docker-compose.yaml and prometheus-targets: run it again after
# an upgrade.
set -eu

fail() {
  echo "$1" >&2
  exit 1
}

has_service() { awk -v line="  $1:" '{ sub(/\r$/, "") } /^[^ ]/ { inside = $0 == "services:" } inside && $0 == line { found = 1 } END { exit !found }' docker-compose.yaml; }

cd "$(dirname "$0")"
folder=${LEFT_OUT_FOLDER:-./left-out}
for service in "$@"; do
  case $service in
    *-volume) fail "'$service' goes with '${service%-volume}'; name that." ;;
    *[!a-z0-9-]* | '' | prometheus) fail "'$service' cannot be left out; name services of docker-compose.yaml other than prometheus." ;;
  esac
  has_service "$service" || fail "docker-compose.yaml has no service '$service'."
done
case " $* " in
  *' edge '*) ;;
  *' gateway '*) fail "'gateway' cannot be left out alone, as 'edge' waits for it; name both: sh leave-out.sh edge $*" ;;
esac

# A Prometheus that runs has the folder mounted: another of the same name it would not see.
targets=$folder/prometheus-targets
mkdir -p "$targets"
rm -f "$targets"/*
if [ $# -eq 0 ]; then
  # COMPOSE_FILE may still name it.
  printf '# Nothing is left out.\nservices: {}\n' > "$folder/docker-compose.yaml"
  exit 0
fi

for file in prometheus-targets/*.json; do
  # Without the Blackbox exporter, no instance is probed.
  case " $* " in *' blackbox '*) [ "$file" != prometheus-targets/engine-health.json ] || continue ;; esac
  awk -v left_out=" $* " '
    { sub(/\r$/, "") }
    /^  \{/ { group = "" }
    /"instance":/ { split($0, part, "\""); instance = part[4] }
    /^  \}/ {
      if (!index(left_out, " " instance " ")) { kept = kept (kept == "" ? "" : ",\n") group "  }" }
      next
    }
    { group = group $0 "\n" }
    END { if (kept != "") { print "[\n" kept "\n]" } }' "$file" > "$targets/${file##*/}"
  [ -s "$targets/${file##*/}" ] || rm "$targets/${file##*/}"
done

# A job of its own has what there may be several of.
for file in prometheus-targets/scrape-*.yaml; do
  service=${file#*/scrape-}
  case " $* " in *" ${service%.yaml} "*) continue ;; esac
  cp "$file" "$targets/"
done

# Neither its job nor one whose targets have gone with it is expected any more.
tr -d '\r' < prometheus-targets/expected.yaml | while IFS= read -r line; do
  job=$(printf '%s\n' "$line" | sed -nE 's/.*job: ([a-z-]+) .*/\1/p')
  case " $* " in *" $job "*) continue ;; esac
  if [ -e "prometheus-targets/$job.json" ] && [ ! -e "$targets/$job.json" ]; then continue; fi
  printf '%s\n' "$line"
done > "$targets/expected.yaml"

{
  echo "# What is left out; made by: sh leave-out.sh $*"
  echo "services:"
  for service in "$@"; do
    printf '  %s:\n    profiles: ["left-out"]\n' "$service"
    # What gives it its volume has nobody else to do that for.
    if has_service "$service-volume"; then printf '  %s:\n    profiles: ["left-out"]\n' "$service-volume"; fi
  done
  case " $* " in *' grafana '*) ;; *' alertmanager '* | *' edge '*)
    echo '  grafana:'
    case " $* " in *' edge '*)
      # Its data sources go through the edge.
      printf '    environment: { ALERTMANAGER_URL: "http://alertmanager:9093", LOKI_URL: "http://loki:3100" }\n'
      ;; esac
    case " $* " in *' alertmanager '*)
      # It is not provisioned as a data source.
      printf 'apiVersion: 1\n' > "$folder/no-data-source.yml"
      printf '    volumes:\n      - { type: "bind", source: "%s/no-data-source.yml", target: "/etc/grafana/provisioning/datasources/alertmanager.yml", read_only: true }\n' "$folder"
      ;; esac
    ;; esac
  # Whether Prometheus has to be made anew, Compose sees by the label: a file of rules or jobs is read at the start.
  printf '  prometheus:\n    labels: { hazumu.targets: "%s" }\n' "$(cat "$targets"/* | cksum | tr ' ' '-')"
  printf '    volumes:\n      - { type: "bind", source: "%s", target: "/etc/prometheus-targets", read_only: true }\n' "$targets"
  case " $* " in *' blackbox '*)
    # The engines of further Compose files are not probed either.
    printf '[]\n' > "$folder/no-targets.json"
    for file in prometheus-engine-health-*.json; do
      [ ! -f "$file" ] || printf '      - { type: "bind", source: "%s/no-targets.json", target: "/etc/%s", read_only: true }\n' "$folder" "$file"
    done
    ;; esac
} > "$folder/docker-compose.yaml"
chmod -R a+rX "$folder"
echo "$folder/docker-compose.yaml is written. What runs of it now is stopped by: docker compose --profile left-out rm --stop --force $*"
