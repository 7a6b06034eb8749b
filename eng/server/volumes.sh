# shellcheck shell=sh
# shellcheck disable=SC2034 # the variables are for the scripts that source this
# The application's volumes as Compose names them. Sourced by backup.sh and restore.sh, never run.
# Uses only what BusyBox and macOS have too.

fail() {
  echo "$1" >&2
  exit 1
}

# Sets project, and volumes: a line "KEY NAME" for each volume, "KEY NAME external" if Compose does not create it.
# A file of COMPOSE_FILE may give a volume another name than its key, so only Compose's own answer tells them apart.
read_application() {
  docker version > /dev/null || fail "The container engine does not answer; nothing was changed."
  configuration=$(docker compose config --format json) || fail "Compose does not accept the configuration; nothing was changed."
  project=$(printf '%s\n' "$configuration" | awk -F '"' '/^  "name": / { print $4; exit }')
  volumes=$(printf '%s\n' "$configuration" | awk -F '"' '
    /^  "volumes": \{/ { inside = 1; next }
    inside && /^  \}/ { exit }
    inside && /^    "[^"]*": \{/ { key = $2; external = "" }
    inside && /^      "name": / { name = $4 }
    inside && /^      "external": true/ { external = " external" }
    inside && /^    \}/ { print key " " name external }')
  [ -n "$project" ] && [ -n "$volumes" ] || fail "'docker compose config --format json' names no project and volumes; update Docker Compose. Nothing was changed."
}

volume_exists() { docker volume inspect "$1" > /dev/null 2>&1; }

# Fails if a volume belongs to another Compose project, whose data must be neither copied nor removed.
check_owner() { # volume
  volume_exists "$1" || return 0
  owner=$(docker volume inspect --format '{{ index .Labels "com.docker.compose.project" }}' "$1")
  case $owner in
    '' | '<no value>' | "$project") ;;
    *) fail "The volume $1 belongs to the Compose project '$owner', not to '$project'; give this application's volume another name, or set COMPOSE_PROJECT_NAME=$owner if it is the same application. Nothing was changed." ;;
  esac
}

# The first container outside the application that has the volume mounted; an argument --all includes stopped ones.
foreign_user() { # volume, [--all]
  # shellcheck disable=SC2086 # no argument if there is none
  docker ps ${2:-} --filter "volume=$1" --format '{{.Names}} {{.Label "com.docker.compose.project"}}' |
    awk -v project="$project" '$2 != project { print $1; exit }'
}

# macOS has no sha256sum, and BusyBox' has no long options.
sha256() { if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
