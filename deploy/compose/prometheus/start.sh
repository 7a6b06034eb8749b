#!/bin/sh
# Starts Prometheus with the address of the runbooks in its alerts. Every form of the graph runs this in the container, by the image's own shell.
#
#   start.sh [argument ...]   starts Prometheus with these arguments
#   start.sh --copy           only copies the rules, for a reload
#
# The rules name each runbook by the address that it has in development, where Prometheus itself serves it. For another RUNBOOK_URL the rules
# are copied with that, and have to be copied again before a reload.
set -eu

SOURCE=${PROMETHEUS_SOURCE:-/etc/prometheus}
TARGET=${PROMETHEUS_TARGET:-/tmp/prometheus} # created anew at each start
DEFAULT=http://localhost:9090/user/

url=${RUNBOOK_URL:-$DEFAULT}
case $url in
  http://?* | https://?*) ;;
  *)
    echo "Prometheus is not started: Hazumu:Prometheus:RunbookUrl is '$url'; set an address such as 'https://wiki.example/runbooks/'." >&2
    exit 1
    ;;
esac
case $url in
  *[!A-Za-z0-9.,:/@_~%+=?\&\#-]*)
    echo "Prometheus is not started: Hazumu:Prometheus:RunbookUrl is '$url', which has a character that no address has; encode it with %." >&2
    exit 1
    ;;
  */ | *= | *\#) ;;
  *) url=$url/ ;;
esac

if [ "$url" = "$DEFAULT" ]; then
  [ "${1:-}" != --copy ] || exit 0
  exec prometheus --config.file="$SOURCE/prometheus.yml" "$@"
fi

rm -rf "$TARGET"
mkdir -p "$TARGET/rules"
export SOURCE TARGET DEFAULT url
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
    { print replaced(replaced($0, ENVIRON["DEFAULT"], ENVIRON["url"]), "/etc/prometheus/rules/", ENVIRON["TARGET"] "/rules/") }
  ' "$file" > "$TARGET/${file#"$SOURCE"/}"
done
[ "${1:-}" != --copy ] || exit 0
exec prometheus --config.file="$TARGET/prometheus.yml" "$@"
