#!/bin/sh
# check-secrets.sh FOLDER: stops Grafana's start where its Secret has what anybody could guess. Nothing of a secret is printed.
set -eu

fail() {
  echo "Grafana is not started: $1" >&2
  exit 1
}

read_secret() { # key
  [ -s "$1" ] || fail "its Secret has no $(basename "$1"), or an empty one."
  cat "$1"
}

password=$(read_secret "$1/admin-password")
[ ${#password} -ge 12 ] || fail "admin-password is shorter than 12 characters."
case $(printf %s "$password" | tr '[:upper:]' '[:lower:]') in
  *password* | *passw0rd* | *changeme* | *grafana* | admin* | 123456* | qwerty*) fail "admin-password is one of those that are tried first." ;;
esac

key=$(read_secret "$1/secret-key")
[ ${#key} -ge 20 ] || fail "secret-key is shorter than 20 characters."
[ "$key" != SW2YcwTIb9zpOOhoPsMm ] || fail "secret-key is Grafana's default one."

read_secret "$1/admin-user" > /dev/null
