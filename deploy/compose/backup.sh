#!/bin/sh
# Copies the application's volumes into a folder, one archive per volume. The application is stopped meanwhile, so that the copies belong
# together.
#
#   sh backup.sh FOLDER                    all volumes
#   sh backup.sh FOLDER --without-models   all volumes except Ollama's models, which can be pulled again
#
# .env and the folder secrets are not included: keep a copy of them elsewhere.
set -eu

misuse() {
  echo "$1" >&2
  exit 2
}

case $# in
  1) without= ;;
  2) [ "$2" = --without-models ] || misuse "'$2' is unknown; there is --without-models."; without=ollama ;;
  *) misuse "Usage: sh backup.sh FOLDER [--without-models]" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/compose/volumes.sh
. "$here/volumes.sh"
mkdir -p "$1"
target=$(cd "$1" && pwd)
[ -z "$(ls -A "$target")" ] || fail "The folder $1 is not empty; name a new one."
chmod 0700 "$target"
cd "$here"

read_application
echo "$volumes" | while read -r key volume _; do
  case $without:$key in ollama:*ollama*) continue ;; esac
  check_owner "$volume"
  user=$(foreign_user "$volume")
  [ -z "$user" ] || fail "The volume $volume is in use by the container $user, which is not part of this application; stop that first."
done

# An interrupted backup starts the application again and leaves no partial copy.
running=$(docker compose ps --services --status running)
helper=
done=
finish() {
  status=$?
  trap '' INT TERM HUP
  # A failure here must not keep the application from being started again.
  set +e
  if [ -n "$helper" ]; then docker rm --volumes "$helper" > /dev/null 2>&1; fi
  if [ -z "$done" ]; then rm -f "$target"/*.tar "$target"/*.tar.gz "$target/SHA256SUMS"; fi
  # shellcheck disable=SC2086 # a list of words
  if [ -n "$running" ]; then docker compose start $running || status=1; fi
  if [ -z "$done" ]; then
    echo "There is no backup." >&2
    [ "$status" -ne 0 ] || status=1
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
trap 'exit 129' HUP # a session that ends in the middle

if [ -n "$running" ]; then docker compose stop; fi

# Any image that is here will do: its container only mounts the volumes and is never started.
for image in $(docker compose config --images); do
  if docker image inspect "$image" > /dev/null 2>&1; then break; fi
done

# Archives have the keys of the volumes, so that an installation with other names can restore them.
while read -r key volume _; do
  case $without:$key in ollama:*ollama*) continue ;; esac
  if ! volume_exists "$volume"; then
    echo "$volume: does not exist, nothing to copy"
    continue
  fi
  helper=$(docker create --network none --volume "$volume:/volume:ro" "$image" none)
  # The engine writes the archive, including owners and modes. A pipe would hide its failure.
  docker cp "$helper:/volume" - > "$target/$key.tar"
  docker rm --volumes "$helper" > /dev/null
  helper=
  gzip -1 "$target/$key.tar"
  echo "$volume: $(du -h "$target/$key.tar.gz" | cut -f 1)"
done << EOF
$volumes
EOF

(cd "$target" && sha256 -- *.tar.gz > SHA256SUMS)
done=yes
# For doctor.sh.
echo "$(date +%s) $target" > "$here/.last-backup"
echo "The backup is in $target."
