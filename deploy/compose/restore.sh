#!/bin/sh
# Replaces the application's volumes by those of a backup, and starts the application. The present content of these volumes is lost.
#
#   sh restore.sh FOLDER          lists the volumes and asks before it replaces them
#   sh restore.sh FOLDER --yes    does not ask
#
# A volume that is not in the backup stays as it is.
set -eu

misuse() {
  echo "$1" >&2
  exit 2
}

case $# in
  1) confirmed= ;;
  2) [ "$2" = --yes ] || misuse "'$2' is unknown; there is --yes."; confirmed=yes ;;
  *) misuse "Usage: sh restore.sh FOLDER [--yes]" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/compose/volumes.sh
. "$here/volumes.sh"
[ -f "$1/SHA256SUMS" ] || fail "$1 is not a backup: it has no file SHA256SUMS."
source=$(cd "$1" && pwd)
(cd "$source" && sha256 -c SHA256SUMS > /dev/null 2>&1) || fail "The backup in $1 is damaged; nothing was changed."
cd "$here"
read_application

name_of() { echo "$volumes" | awk -v key="$1" '$1 == key { print $2 }'; }
is_external() { echo "$volumes" | awk -v key="$1" '$1 == key { found = $3 == "external" } END { exit !found }'; }

# Everything that can fail is tried before anything is removed.
for archive in "$source"/*.tar.gz; do
  key=$(basename "$archive" .tar.gz)
  grep -q "[ *]$key\.tar\.gz\$" "$source/SHA256SUMS" || fail "SHA256SUMS does not list $key.tar.gz; nothing was changed."
  gzip -t "$archive" || fail "$archive cannot be unpacked; nothing was changed."
  gzip -dc "$archive" | tar -tf - | awk 'NR == 1 { valid = $0 == "volume/" } END { exit !valid }' || fail "$archive is not a copy of a volume; nothing was changed."
  volume=$(name_of "$key")
  [ -n "$volume" ] || fail "The backup has $key, which is not a volume of this application; nothing was changed."
  check_owner "$volume"
  if has_driver "$key" "$volume"; then
    fail "The volume $volume has a driver other than 'local', or driver options: its data would outlive it and mix with the backup's. Unpack $key.tar.gz into it yourself, and restore the others from a copy of the backup without that archive and its line in SHA256SUMS. Nothing was changed."
  fi
  user=$(foreign_user "$volume" --all)
  [ -z "$user" ] || fail "The volume $volume is in use by the container $user, which is not part of this application; remove that first. Nothing was changed."
done
for image in $(docker compose config --images); do
  docker image inspect "$image" > /dev/null 2>&1 || docker pull "$image" ||
    fail "The image $image is not here and cannot be pulled; nothing was changed."
done

if [ -z "$confirmed" ]; then
  echo "The present content of these volumes of the Compose project '$project' will be replaced by the backup in $source:"
  for archive in "$source"/*.tar.gz; do echo "  $(name_of "$(basename "$archive" .tar.gz)")"; done
  printf "Type 'yes' to continue: "
  answer=
  read -r answer || true
  [ "$answer" = yes ] || fail "Not confirmed; nothing was changed."
fi

helper=
began=
finish() {
  status=$?
  trap '' INT TERM HUP
  set +e
  if [ -n "$helper" ]; then docker rm --volumes "$helper" > /dev/null 2>&1; fi
  if [ "$status" -ne 0 ] && [ -n "$began" ]; then echo "The restore is not finished and the application is stopped; run it again." >&2; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
trap 'exit 129' HUP

docker compose down
for archive in "$source"/*.tar.gz; do
  volume=$(name_of "$(basename "$archive" .tar.gz)")
  user=$(docker ps --all --filter "volume=$volume" --format '{{.Names}}' | sed -n 1p)
  if [ -n "$user" ]; then
    docker compose up --detach
    fail "The volume $volume is in use by the container $user, which 'docker compose down' does not remove; remove that first. Nothing was changed."
  fi
done

began=yes
for archive in "$source"/*.tar.gz; do
  key=$(basename "$archive" .tar.gz)
  volume=$(name_of "$key")
  if volume_exists "$volume"; then docker volume rm "$volume" > /dev/null; fi
  if is_external "$key"; then docker volume create "$volume" > /dev/null; fi
done
# Compose creates the other volumes: it would ask about one without its labels at each start.
docker compose up --no-start

for archive in "$source"/*.tar.gz; do
  volume=$(name_of "$(basename "$archive" .tar.gz)")
  helper=$(docker create --network none --volume "$volume:/volume" "$image" none)
  gzip -dc "$archive" | docker cp - "$helper:/"
  docker rm --volumes "$helper" > /dev/null
  helper=
  echo "$volume: restored"
done

docker compose up --detach --wait
