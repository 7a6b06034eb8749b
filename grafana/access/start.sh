#!/bin/sh
# Starts Grafana in production: not with a secret that is missing, short or well-known.
#
#   start.sh --check   only checks the secrets
#   start.sh           starts Grafana
set -eu

SECRETS=${GRAFANA_SECRETS:-/run/secrets}
# shellcheck source=grafana/access/weak.sh
. "$(dirname "$0")/weak.sh"

fail() {
  echo "Grafana is not started: $1" >&2
  exit 1
}

read_secret() { # file, its name outside: sets value
  [ ! -d "$SECRETS/$1" ] || fail "$2 is a folder, not a file; remove it and run 'sh secrets.sh'."
  [ -r "$SECRETS/$1" ] || fail "user $(id -u), who it runs as, may not read $2; set the file's mode to 0644 and that of the folder to 0700 ('sh secrets.sh' does so)."
  # Grafana drops a line end of Windows too.
  value=$(tr -d '\r' < "$SECRETS/$1")
}

check() { # file, what it is
  [ -e "$SECRETS/$1" ] || fail "the file secrets/$1 with $2 does not exist; 'sh secrets.sh' creates it."
  read_secret "$1" "secrets/$1"
  why=$(why_weak "$value" 12)
  [ -z "$why" ] || fail "$2 in secrets/$1 $why; 'sh secrets.sh' creates a good one if the file does not exist."
}

check grafana_admin_password "the administrator's password"
check grafana_secret_key "the key that Grafana encrypts secrets with"

# As Grafana reads a switch.
case $(printf '%s' "${GF_AUTH_GENERIC_OAUTH_ENABLED:-}" | tr '[:upper:]' '[:lower:]') in
  1 | t | true | y | yes | on)
    value=
    [ ! -e "$SECRETS/grafana_oidc_secret" ] || read_secret grafana_oidc_secret "the file that GRAFANA_OIDC_SECRET_FILE names"
    [ -n "$value" ] || fail "sign-in by OIDC is enabled, and the client's secret is missing or empty; put it into a file and name that by GRAFANA_OIDC_SECRET_FILE, as ./secrets/grafana_oidc_secret."
    ;;
esac

# GRAFANA_URL may end in a slash, as in Grafana's own documents; links and the provider's address of return want exactly one.
if [ -n "${GF_SERVER_ROOT_URL:-}" ]; then
  while [ "$GF_SERVER_ROOT_URL" != "${GF_SERVER_ROOT_URL%/}" ]; do GF_SERVER_ROOT_URL=${GF_SERVER_ROOT_URL%/}; done
  export GF_SERVER_ROOT_URL="$GF_SERVER_ROOT_URL/"
fi

if [ "${1:-}" = --check ]; then exit 0; fi
exec "${GRAFANA_RUN:-/run.sh}"
