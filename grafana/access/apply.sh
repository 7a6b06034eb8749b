#!/bin/sh
# Applies access.conf to Grafana, over its HTTP API. Can be repeated: what is there already stays.
# Source: https://grafana.com/docs/grafana/latest/developers/http_api/ (admin, org, team, user)
set -eu

FILE=${ACCESS_FILE:-/etc/grafana/access/access.conf}
URL=${GRAFANA_URL:-http://grafana:3000}
SECRETS=${GRAFANA_SECRETS:-/run/secrets}
# shellcheck source=grafana/access/weak.sh
. "$(dirname "$0")/weak.sh"

fail() {
  echo "Access is not applied: $1" >&2
  exit 1
}

read_secret() { # file: without the line end of Windows
  [ ! -d "$SECRETS/$1" ] || fail "the secret $1 is a folder, not a file."
  tr -d '\r' < "$SECRETS/$1"
}

# In the chart a file as well.
ADMIN=${GF_SECURITY_ADMIN_USER:-admin}
if [ -r "$SECRETS/grafana_admin_user" ]; then ADMIN=$(read_secret grafana_admin_user); fi

# The password goes by standard input: an argument would be seen in the process list.
[ -e "$SECRETS/grafana_admin_password" ] || fail "there is no secret grafana_admin_password."
PASSWORD=$(read_secret grafana_admin_password)
STATUS=
BODY=
call() { # method, path, [JSON]
  set -- "$1" "$2" "${3:-}"
  BODY=$(
    {
      printf 'user = "%s:%s"\n' "$ADMIN" "$(printf '%s' "$PASSWORD" | sed 's/[\\"]/\\&/g')"
      [ -z "$3" ] || printf 'data = "%s"\n' "$(printf '%s' "$3" | sed 's/[\\"]/\\&/g')"
    } | curl --silent --show-error --noproxy '*' --max-time 20 --config - --request "$1" --header 'Content-Type: application/json' --write-out '\n%{http_code}' "$URL/api$2"
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
  [ "$STATUS" != 401 ] || fail "Grafana refuses the administrator '$ADMIN': its volume keeps the first password, or too many wrong passwords have locked the sign-in for five minutes; see docs/production.md."
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
  if [ -r "$SECRETS/grafana_users" ]; then read_secret grafana_users | awk -v login="$1" '$1 == login { sub(/^[^ ]+ /, ""); print; exit }'; fi
}

user_id() { # login: prints the account's number, nothing if there is none
  call GET "/users/lookup?loginOrEmail=$1"
  expect "looking for the account '$1'" 200 404
  if [ "$STATUS" = 404 ]; then return 0; fi
  id=$(number id)
  [ -n "$id" ] || fail "Grafana returns no id of '$1': $BODY"
  echo "$id"
}

role_of() { # role in access.conf, line
  case $1 in
    viewer) echo Viewer ;;
    operator) echo Editor ;;
    admin) echo Admin ;;
    *) fail "line $2 of access.conf: the role is '$1'; allowed: viewer, operator, admin." ;;
  esac
}

check_user() { # line, login, role, teams...
  line=$1 login=$2
  role=$(role_of "$3" "$line") || exit 1
  shift 3
  for team in "$@"; do plain "$team" "$line"; done
  id=$(user_id "$login") || exit 1
  if [ -z "$id" ]; then
    password=$(first_password "$login") || exit 1
    if [ -z "$password" ]; then return 0; fi
    why=$(why_weak "$password" 12)
    [ -z "$why" ] || fail "the first password of '$login' $why."
  elif [ "$id" = "$ADMIN_ID" ] && [ "$role" != Admin ]; then
    fail "line $line of access.conf gives '$login', who applies this file, the role $role, and Grafana would refuse the rest; remove the line, or let another administrator apply it."
  fi
}

apply_user() { # line, login, role, teams...
  line=$1 login=$2
  role=$(role_of "$3" "$line") || exit 1
  shift 3

  id=$(user_id "$login") || exit 1
  if [ -z "$id" ]; then
    password=$(first_password "$login") || exit 1
    if [ -z "$password" ]; then
      echo "user $login: not there yet, and secrets/grafana_users has no first password; left out until they have signed in by OIDC"
      return 0
    fi
    call POST /admin/users "{\"name\":\"$login\",\"login\":\"$login\",\"password\":\"$(printf '%s' "$password" | sed 's/[\\"]/\\&/g')\"}"
    expect "making the account '$login'" 200
    id=$(number id)
    [ -n "$id" ] || fail "Grafana returns no id of '$login': $BODY"
    echo "user $login: made"
  fi

  call PATCH "/org/users/$id" "{\"role\":\"$role\"}"
  # The provider's groups decide for those who came by OIDC (messageId org.externallySynced); their teams are still set here.
  case $STATUS:$BODY in
    403:*xternally*ynced*) role="the role comes from OIDC" ;;
    *) expect "giving '$login' the role $role" 200 ;;
  esac
  for team in "$@"; do
    apply_team "$team"
    TEAM_ID=$(team_id "$team") || exit 1
    call POST "/teams/$TEAM_ID/members" "{\"userId\":$id}"
    # 400 where they are in it already.
    expect "putting '$login' into the team '$team'" 200 400
  done
  echo "user $login: $role${1:+, in $*}"
}

# Reads every line twice: nothing takes effect before all of them are checked.
each_line() { # check or apply
  number_of_line=0
  while IFS= read -r text || [ -n "$text" ]; do
    number_of_line=$((number_of_line + 1))
    set -f
    # shellcheck disable=SC2086 # a list of words
    set -- "$1" ${text%%#*}
    set +f
    if [ $# -eq 1 ]; then continue; fi
    case $2 in
      team)
        [ $# -eq 3 ] || fail "line $number_of_line of access.conf: write 'team NAME'."
        plain "$3" "$number_of_line"
        [ "$1" = check ] || apply_team "$3"
        ;;
      user)
        [ $# -ge 4 ] || fail "line $number_of_line of access.conf: write 'user LOGIN ROLE [TEAM ...]'."
        pass=$1
        shift 2
        plain "$1" "$number_of_line"
        "${pass}_user" "$number_of_line" "$@"
        set -- "$pass"
        ;;
      *) fail "line $number_of_line of access.conf begins with '$2'; allowed: team, user." ;;
    esac
    set -- "$1"
  done << END
$LINES
END
}

[ -r "$FILE" ] || fail "there is no file $FILE."
LINES=$(tr -d '\r' < "$FILE")
call GET /user
expect "asking who applies this" 200
ADMIN_ID=$(number id)
each_line check
each_line apply
echo "Access is applied."
