#!/bin/sh
# Applies access.conf to Grafana, over its HTTP API. Can be repeated: what is there already stays.
# Source: https://grafana.com/docs/grafana/latest/developers/http_api/ (admin, org, team, user)
set -eu

FILE=${ACCESS_FILE:-/etc/grafana/access/access.conf}
URL=${GRAFANA_URL:-http://grafana:3000}
SECRETS=${GRAFANA_SECRETS:-/run/secrets}
# In the chart a file as well.
if [ -r "$SECRETS/grafana_admin_user" ]; then
  ADMIN=$(cat "$SECRETS/grafana_admin_user")
else
  ADMIN=${GF_SECURITY_ADMIN_USER:-admin}
fi

fail() {
  echo "Access is not applied: $1" >&2
  exit 1
}

# The password goes by standard input: an argument would be seen in the process list.
PASSWORD=$(cat "$SECRETS/grafana_admin_password") || fail "there is no secret grafana_admin_password."
STATUS=
BODY=
call() { # method, path, [JSON]
  set -- "$1" "$2" "${3:-}"
  BODY=$(
    {
      printf 'user = "%s:%s"\n' "$ADMIN" "$(printf '%s' "$PASSWORD" | sed 's/[\\"]/\\&/g')"
      [ -z "$3" ] || printf 'data = "%s"\n' "$(printf '%s' "$3" | sed 's/[\\"]/\\&/g')"
    } | curl --silent --show-error --max-time 20 --config - --request "$1" --header 'Content-Type: application/json' --write-out '\n%{http_code}' "$URL/api$2"
  ) || fail "Grafana does not answer at $URL."
  STATUS=$(printf '%s' "$BODY" | tail -n 1)
  BODY=$(printf '%s' "$BODY" | sed '$d')
}

expect() { # what was done, statuses...
  what=$1
  shift
  for status in "$@"; do
    if [ "$STATUS" = "$status" ]; then return 0; fi
  done
  [ "$STATUS" != 401 ] || fail "Grafana refuses the administrator '$ADMIN': its volume keeps the first password; see docs/production.md."
  fail "$what: Grafana answers $STATUS: $BODY"
}

# The first number of that name. Names and logins here have no character that JSON or an address would want escaped.
number() { printf '%s' "$BODY" | grep -o "\"$1\":[0-9]*" | sed -n '1s/.*://p'; } # name

plain() { # value, line
  case $1 in
    '' | *[!A-Za-z0-9._@-]*) fail "line $2 of access.conf: '$1' may have letters, digits, '.', '_', '@' and '-'." ;;
  esac
}

team_id() { # name
  call GET "/teams/search?name=$1"
  expect "looking for the team '$1'" 200
  number id
}

apply_team() { # name
  TEAM_ID=$(team_id "$1") || exit 1
  if [ -n "$TEAM_ID" ]; then return 0; fi
  call POST /teams "{\"name\":\"$1\"}"
  expect "making the team '$1'" 200 201
  echo "team $1: made"
}

first_password() { # login
  if [ -r "$SECRETS/grafana_users" ]; then awk -v login="$1" '$1 == login { sub(/^[^ ]+ /, ""); print; exit }' "$SECRETS/grafana_users"; fi
}

apply_user() { # line, login, role, teams...
  line=$1 login=$2
  case $3 in
    viewer) role=Viewer ;;
    operator) role=Editor ;;
    admin) role=Admin ;;
    *) fail "line $line of access.conf: the role is '$3'; allowed: viewer, operator, admin." ;;
  esac
  shift 3

  call GET "/users/lookup?loginOrEmail=$login"
  expect "looking for the account '$login'" 200 404
  if [ "$STATUS" = 404 ]; then
    password=$(first_password "$login")
    if [ -z "$password" ]; then
      echo "user $login: not there yet, and secrets/grafana_users has no first password; left out until they have signed in by OIDC"
      return 0
    fi
    [ "${#password}" -ge 12 ] || fail "the first password of '$login' has fewer than 12 characters."
    call POST /admin/users "{\"name\":\"$login\",\"login\":\"$login\",\"password\":\"$(printf '%s' "$password" | sed 's/[\\"]/\\&/g')\"}"
    expect "making the account '$login'" 200
    echo "user $login: made"
  fi
  id=$(number id)
  [ -n "$id" ] || fail "Grafana does not tell the number of '$login': $BODY"

  call PATCH "/org/users/$id" "{\"role\":\"$role\"}"
  expect "giving '$login' the role $role" 200
  for team in "$@"; do
    plain "$team" "$line"
    apply_team "$team"
    TEAM_ID=$(team_id "$team") || exit 1
    call POST "/teams/$TEAM_ID/members" "{\"userId\":$id}"
    # 400 where they are in it already.
    expect "putting '$login' into the team '$team'" 200 400
  done
  echo "user $login: $role${1:+, in $*}"
}

[ -r "$FILE" ] || fail "there is no file $FILE."
number_of_line=0
while IFS= read -r text || [ -n "$text" ]; do
  number_of_line=$((number_of_line + 1))
  set -f
  # shellcheck disable=SC2086 # a list of words
  set -- ${text%%#*}
  set +f
  if [ $# -eq 0 ]; then continue; fi
  case $1 in
    team)
      [ $# -eq 2 ] || fail "line $number_of_line of access.conf: write 'team NAME'."
      plain "$2" "$number_of_line"
      apply_team "$2"
      ;;
    user)
      [ $# -ge 3 ] || fail "line $number_of_line of access.conf: write 'user LOGIN ROLE [TEAM ...]'."
      shift
      plain "$1" "$number_of_line"
      apply_user "$number_of_line" "$@"
      ;;
    *) fail "line $number_of_line of access.conf begins with '$1'; allowed: team, user." ;;
  esac
done < "$FILE"
echo "Access is applied."
