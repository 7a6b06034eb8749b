#!/bin/sh
# Starts Prometheus with the addresses of the runbooks and of Grafana in its alerts. Every form of the graph runs this in the container, by the
# image's own shell.
#
#   start.sh [argument ...]   starts Prometheus with these arguments
#   start.sh --copy           only copies the rules, for a reload
#
# The rules name runbooks and dashboards by the addresses that they have in development. For another RUNBOOK_URL or GRAFANA_URL the rules are
# copied with that, and have to be copied again before a reload.
set -eu

SOURCE=${PROMETHEUS_SOURCE:-/etc/prometheus}
TARGET=${PROMETHEUS_TARGET:-/tmp/prometheus} # created anew at each start
RUNBOOKS=http://localhost:9090/user/
DASHBOARDS=http://localhost:3000

check() { # address, setting, example
  case $1 in
    http://?* | https://?*) ;;
    *)
      echo "Prometheus is not started: $2 is '$1'; set an address such as '$3'." >&2
      exit 1
      ;;
  esac
  case $1 in
    *[!A-Za-z0-9.,:/@_~%+=?\&\#-]*)
      echo "Prometheus is not started: $2 is '$1', which has a character that no address has; encode it with %." >&2
      exit 1
      ;;
  esac
}

runbooks=${RUNBOOK_URL:-$RUNBOOKS}
check "$runbooks" Hazumu:Prometheus:RunbookUrl https://wiki.example/runbooks/
case $runbooks in */ | *= | *\#) ;; *) runbooks=$runbooks/ ;; esac

dashboards=${GRAFANA_URL:-$DASHBOARDS}
check "$dashboards" GRAFANA_URL https://llm.example/grafana
# Grafana's own documents write the address with a slash at its end and without.
while [ "$dashboards" != "${dashboards%/}" ]; do dashboards=${dashboards%/}; done

if [ "$runbooks" = "$RUNBOOKS" ] && [ "$dashboards" = "$DASHBOARDS" ]; then
  [ "${1:-}" != --copy ] || exit 0
  exec prometheus --config.file="$SOURCE/prometheus.yml" "$@"
fi

rm -rf "$TARGET"
mkdir -p "$TARGET/rules"
export SOURCE TARGET RUNBOOKS DASHBOARDS runbooks dashboards
for file in "$SOURCE/prometheus.yml" "$SOURCE"/rules/*.yaml; do
  awk '
    function replaced(text, from, to,    before, at) {
      before = ""
      while ((at = index(text, from)) > 0) {
        before = before substr(text, 1, at - 1) to
        text = substr(text, at + length(from))
      }
      return before text
    }
    {
      line = replaced($0, ENVIRON["RUNBOOKS"], ENVIRON["runbooks"])
      line = replaced(line, ENVIRON["DASHBOARDS"] "/d/", ENVIRON["dashboards"] "/d/")
      print replaced(line, "/etc/prometheus/rules/", ENVIRON["TARGET"] "/rules/")
    }
  ' "$file" > "$TARGET/${file#"$SOURCE"/}"
done
[ "${1:-}" != --copy ] || exit 0
exec prometheus --config.file="$TARGET/prometheus.yml" "$@"
