# shellcheck shell=sh
# shellcheck disable=SC2034 # the variables are for the scripts that source this
# The application's volumes as Compose names them. Sourced by backup.sh and restore.sh, never run.
# Uses only what BusyBox and macOS have too.

fail() {
  echo "$1" >&2
  exit 1
}

# Sets project, and volumes: a line "KEY NAME" for each volume, followed by "external" if Compose does not create it, and by "driver" if
# it has a driver other than local, or driver options.
# A file of COMPOSE_FILE may give a volume another name than its key, so only Compose's own answer distinguishes them.
read_application() {
  docker version > /dev/null || fail "The container engine does not answer; nothing was changed."
  configuration=$(docker compose config --format json) || fail "Compose does not accept the configuration; nothing was changed."
  project=$(printf '%s\n' "$configuration" | awk -F '"' '/^  "name": / { print $4; exit }')
  volumes=$(printf '%s\n' "$configuration" | awk -F '"' '
    /^  "volumes": \{/ { inside = 1; next }
    inside && /^  \}/ { exit }
    inside && /^    "[^"]*": \{/ { key = $2; external = ""; driver = "" }
    inside && /^      "name": / { name = $4 }
    inside && /^      "external": true/ { external = " external" }
    inside && (/^      "driver_opts": \{$/ || /^      "driver": / && $4 != "local") { driver = " driver" }
    inside && /^    \}/ { print key " " name external driver }')
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

# Whether the data is somewhere that the engine does not manage, such as a file server or a folder, and outlives the volume.
has_driver() { # key, volume
  echo "$volumes" | awk -v key="$1" '$1 == key && $NF == "driver" { found = 1 } END { exit !found }' && return
  volume_exists "$2" && [ "$(docker volume inspect --format '{{ .Driver }}{{ range $key, $value := .Options }} {{ $key }}{{ end }}' "$2")" != local ]
}

# The first container outside the application that has the volume mounted; an argument --all includes stopped ones.
foreign_user() { # volume, [--all]
  # shellcheck disable=SC2086 # no argument if there is none
  docker ps ${2:-} --quiet --filter "volume=$1" | while read -r container; do
    # 'ps' of Podman before 5.0 has no .Label (containers/podman#20957). A container that is gone meanwhile does not use the volume.
    docker inspect --type container --format '{{ .Name }} {{ index .Config.Labels "com.docker.compose.project" }}' "$container" 2> /dev/null || true
  done | awk -v project="$project" '$2 != project { sub("^/", "", $1); print $1; exit }'
}

# macOS has no sha256sum, and BusyBox' has no long options.
sha256() { if command -v sha256sum > /dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
