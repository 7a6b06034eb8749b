#!/bin/sh
# Starts Alertmanager with the receivers that are set up. Every form of the graph runs this in the container, by the image's own shell.
#
#   start.sh --check          only says whether the configuration is valid
#   start.sh [argument ...]   starts Alertmanager with these arguments
#
# What is set comes from variables; what is secret, from files below SECRETS. A receiver with a secret is set up where that file has
# content: a Compose file that names none mounts an empty one.
set -eu

SOURCE=${ALERTMANAGER_SOURCE:-/etc/alertmanager}
SECRETS=${ALERTMANAGER_SECRETS:-/run/secrets}
TARGET=/tmp/alertmanager # made anew at each start

fail() {
  echo "Alertmanager is not started: $1" >&2
  exit 1
}

edits='' # for sed
leave_out() { edits="$edits;/#? $1\$/d"; }

put_in() { # placeholder, value, setting
  case $2 in
    *[\"\\\|\&\$\`]* | *'
'*) fail "$3 has a character that cannot be used there: a quotation mark, \\, |, &, \$, \` or a new line." ;;
  esac
  edits="$edits;s|\${$1}|$2|"
}

has_secret() { # file, setting
  [ -e "$SECRETS/$1" ] || return 1
  [ -r "$SECRETS/$1" ] ||
    fail "user $(id -u), who it runs as, may not read the file of $2; give the file to that user or let others read it."
  [ -s "$SECRETS/$1" ]
}

has_secret alertmanager_heartbeat_url Hazumu:Alertmanager:HeartbeatUrlFile || leave_out heartbeat
has_secret alertmanager_webhook_url Hazumu:Alertmanager:WebhookUrlFile || leave_out webhook

if has_secret alertmanager_slack_url Hazumu:Alertmanager:SlackUrlFile; then
  [ -n "${SLACK_CHANNEL:-}" ] || leave_out slack_channel # the Slack webhook's own
  put_in SLACK_CHANNEL "${SLACK_CHANNEL:-}" Hazumu:Alertmanager:SlackChannel
else
  leave_out slack
  leave_out slack_channel
fi

if [ -n "${EMAIL_TO:-}" ]; then
  [ -n "${EMAIL_SERVER:-}" ] || fail "Hazumu:Alertmanager:EmailTo is set, but not EmailServer, the mail server as host:port."
  [ -n "${EMAIL_FROM:-}" ] || fail "Hazumu:Alertmanager:EmailTo is set, but not EmailFrom, the sender's address."
  put_in EMAIL_TO "$EMAIL_TO" Hazumu:Alertmanager:EmailTo
  put_in EMAIL_FROM "$EMAIL_FROM" Hazumu:Alertmanager:EmailFrom
  put_in EMAIL_SERVER "$EMAIL_SERVER" Hazumu:Alertmanager:EmailServer
  put_in EMAIL_TLS "${EMAIL_TLS:-true}" Hazumu:Alertmanager:EmailTls
  if [ -n "${EMAIL_USER:-}" ]; then
    has_secret alertmanager_email_password Hazumu:Alertmanager:EmailPasswordFile ||
      fail "Hazumu:Alertmanager:EmailUser is set, but not EmailPasswordFile, a file with that user's password."
    put_in EMAIL_USER "$EMAIL_USER" Hazumu:Alertmanager:EmailUser
  else
    leave_out email_user
  fi
else
  leave_out email
  leave_out email_user
fi

put_in GRAFANA_URL "${GRAFANA_URL:-}" GRAFANA_URL

rm -rf "$TARGET"
mkdir -p "$TARGET/templates"
for file in alertmanager.yml templates/hazumu.tmpl; do
  sed -e "${edits#;}" -e 's/ *#?.*$//' "$SOURCE/$file" > "$TARGET/$file"
done

if [ "${1:-}" = --check ]; then exec amtool check-config "$TARGET/alertmanager.yml"; fi
exec alertmanager --config.file="$TARGET/alertmanager.yml" "$@"
