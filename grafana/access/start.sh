#!/bin/sh
# Starts Grafana in production: not with a secret that is missing, short or known to everybody.
#
#   start.sh --check   only looks at the secrets
#   start.sh           starts Grafana
set -eu

SECRETS=${GRAFANA_SECRETS:-/run/secrets}
SHORTEST=12 # characters, as the AppHost's ProductionSettings

fail() {
  echo "Grafana is not started: $1" >&2
  exit 1
}

check() { # file, what it is
  [ -e "$SECRETS/$1" ] || fail "there is no file secrets/$1, which holds $2; 'sh secrets.sh' makes it."
  [ -r "$SECRETS/$1" ] || fail "user $(id -u), who it runs as, may not read secrets/$1; set the file's mode to 0644 and that of the folder to 0700."
  value=$(cat "$SECRETS/$1")
  [ "${#value}" -ge "$SHORTEST" ] || fail "$2 in secrets/$1 has fewer than $SHORTEST characters; 'sh secrets.sh' makes a good one where there is no such file."
  # "administrator", "password1234", "changeme-changeme": a well-known word, with little to it.
  for word in admin administrator password changeme change-me grafana hazumu letmein secret qwerty 123456; do
    rest=$(printf '%s' "$value" | tr '[:upper:]' '[:lower:]' | sed "s/$word//g")
    [ "${#rest}" -gt 4 ] || fail "$2 in secrets/$1 is a well-known one; 'sh secrets.sh' makes a good one where there is no such file."
  done
}

check grafana_admin_password "the administrator's password"
check grafana_secret_key "the key that Grafana encrypts secrets with"
if [ "${1:-}" = --check ]; then exit 0; fi
exec /run.sh
