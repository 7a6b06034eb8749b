#!/bin/sh
# check-secrets.sh FOLDER: stops Grafana's start where its Secret has what anybody could guess. Nothing of a secret is printed.
set -eu
# shellcheck source=grafana/access/weak.sh
. "$(dirname "$0")/weak.sh"

fail() {
  echo "Grafana is not started: $1" >&2
  exit 1
}

read_secret() { # key
  [ -s "$1" ] || fail "its Secret has no $(basename "$1"), or an empty one."
  # Grafana drops a line end of Windows too.
  tr -d '\r' < "$1"
}

check() { # file, least length
  value=$(read_secret "$1")
  why=$(why_weak "$value" "$2")
  [ -z "$why" ] || fail "$(basename "$1") $why."
}

check "$1/admin-password" 12
check "$1/secret-key" 20
read_secret "$1/admin-user" > /dev/null
