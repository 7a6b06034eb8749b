#!/bin/sh
# Starts Alertmanager with the receivers that are set up. Every form of the graph runs this in the container, by the image's own shell.
#
#   start.sh --check          only reports whether the configuration is valid
#   start.sh [argument ...]   starts Alertmanager with these arguments
#
# Settings come from variables, secrets from files below SECRETS. A receiver with a secret is set up if that file has content: a Compose
# file that names none mounts an empty one, and the variable with the file's path is empty then too.
set -eu

SOURCE=${ALERTMANAGER_SOURCE:-/etc/alertmanager}
SECRETS=${ALERTMANAGER_SECRETS:-/run/secrets}
TARGET=/tmp/alertmanager # made anew at each start

fail() {
  echo "Alertmanager is not started: $1" >&2
  exit 1
}

parts=' ' # the markers whose lines are kept
keep() { parts="$parts$1 "; }

# Alertmanager has no variables of its own, so that awk puts them in: as YAML text in double quotes, which may hold any printable character.
printable() { # value, setting
  # shellcheck disable=SC2018,SC2019 # of the whole value, not of one of its lines
  [ "$(printf '%s' "$1" | tr -d '[:cntrl:]')" = "$1" ] || fail "$2 has a line break or another control character; remove it."
}

has_secret() { # file, setting, path outside where one is set
  if [ ! -e "$SECRETS/$1" ]; then
    [ -z "$3" ] || fail "$2 is '$3', but this file does not exist; correct the path."
    return 1
  fi
  [ ! -d "$SECRETS/$1" ] || fail "$2 is '$3', which is a folder; name a file."
  [ -r "$SECRETS/$1" ] ||
    fail "user $(id -u), who it runs as, may not read the file of $2; give the file to that user or let others read it ('sh secrets.sh' does so)."
  if [ -z "$(tr -d '[:space:]' < "$SECRETS/$1")" ]; then
    [ -z "$3" ] || fail "$2 is '$3', which is empty; write the secret into it, or remove the setting."
    return 1
  fi
}

if has_secret alertmanager_heartbeat_url Hazumu:Alertmanager:HeartbeatUrlFile "${ALERTMANAGER_HEARTBEAT_URL_FILE:-}"; then keep heartbeat; fi
if has_secret alertmanager_webhook_url Hazumu:Alertmanager:WebhookUrlFile "${ALERTMANAGER_WEBHOOK_URL_FILE:-}"; then keep webhook; fi

if has_secret alertmanager_slack_url Hazumu:Alertmanager:SlackUrlFile "${ALERTMANAGER_SLACK_URL_FILE:-}"; then
  keep slack
  # Without one, the Slack webhook's own.
  [ -z "${SLACK_CHANNEL:-}" ] || keep slack_channel
fi

if [ -n "${EMAIL_TO:-}" ]; then
  [ -n "${EMAIL_SERVER:-}" ] || fail "Hazumu:Alertmanager:EmailTo is set, but not EmailServer, the mail server as host:port."
  [ -n "${EMAIL_FROM:-}" ] || fail "Hazumu:Alertmanager:EmailTo is set, but not EmailFrom, the sender's address."
  case ${EMAIL_TLS:=true} in true | false) ;; *) fail "Hazumu:Alertmanager:EmailTls is '$EMAIL_TLS'; allowed: true, false." ;; esac
  export EMAIL_TLS
  keep email
  if [ -n "${EMAIL_USER:-}" ]; then
    has_secret alertmanager_email_password Hazumu:Alertmanager:EmailPasswordFile "${ALERTMANAGER_EMAIL_PASSWORD_FILE:-}" ||
      fail "Hazumu:Alertmanager:EmailUser is set, but not EmailPasswordFile, a file with that user's password."
    keep email_user
  fi
fi

printable "${SLACK_CHANNEL:-}" Hazumu:Alertmanager:SlackChannel
printable "${EMAIL_TO:-}" Hazumu:Alertmanager:EmailTo
printable "${EMAIL_FROM:-}" Hazumu:Alertmanager:EmailFrom
printable "${EMAIL_SERVER:-}" Hazumu:Alertmanager:EmailServer
printable "${EMAIL_USER:-}" Hazumu:Alertmanager:EmailUser

rm -rf "$TARGET"
mkdir -p "$TARGET/templates"
for file in alertmanager.yml templates/hazumu.tmpl; do
  awk -v parts="$parts" '
    function replaced(text, from, to,    before, at) {
      before = ""
      while ((at = index(text, from)) > 0) {
        before = before substr(text, 1, at - 1) to
        text = substr(text, at + length(from))
      }
      return before text
    }
    {
      if (match($0, / *#\? [a-z_]+\r?$/)) {
        marker = substr($0, RSTART, RLENGTH)
        gsub(/[ #?\r]/, "", marker)
        if (!index(parts, " " marker " ")) next
        $0 = substr($0, 1, RSTART - 1)
      }
      line = ""
      # Looked for in what is left of the line alone: a value may hold the name of a variable.
      while (match($0, /\$\{[A-Z_]+\}/)) {
        value = ENVIRON[substr($0, RSTART + 2, RLENGTH - 3)]
        before = substr($0, 1, RSTART - 1)
        if (before ~ /"$/) {
          # Alertmanager takes these fields for templates.
          if (before !~ /auth_username/) value = replaced(value, "{{", "{{ \"{{\" }}")
          value = replaced(replaced(value, "\\", "\\\\"), "\"", "\\\"")
        }
        line = line before value
        $0 = substr($0, RSTART + RLENGTH)
      }
      print line $0
    }' "$SOURCE/$file" > "$TARGET/$file"
done

if [ "${1:-}" = --check ]; then exec amtool check-config "$TARGET/alertmanager.yml"; fi
exec alertmanager --config.file="$TARGET/alertmanager.yml" "$@"
