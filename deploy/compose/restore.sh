#!/bin/sh
# Puts a backup in the volumes' place: what they have now is lost. Then starts the application.
#
#   sh restore.sh FOLDER
#
# A volume that is not in the backup stays as it is.
set -eu

fail() {
  echo "$1" >&2
  exit 1
}

[ $# -eq 1 ] || fail "Where from? sh restore.sh FOLDER"
[ -f "$1/SHA256SUMS" ] || fail "$1 is no backup: there is no file SHA256SUMS."
source=$(cd "$1" && pwd)
(cd "$source" && sha256sum --quiet --check SHA256SUMS) || fail "The backup in $1 is damaged; nothing was changed."
cd "$(dirname "$0")"

known=" $(docker compose config --volumes | tr '\n' ' ') "
for archive in "$source"/*.tar.gz; do
  volume=$(basename "$archive" .tar.gz)
  case $known in *" $volume "*) ;; *) fail "The backup has $volume, which this application has no use for; nothing was changed." ;; esac
done

helper=
finish() {
  if [ -n "$helper" ]; then docker rm "$helper" > /dev/null; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

docker compose down
for archive in "$source"/*.tar.gz; do
  volume=$(basename "$archive" .tar.gz)
  if docker volume inspect "$volume" > /dev/null 2>&1; then docker volume rm "$volume" > /dev/null; fi
done
# Compose makes the volumes: one of another's making it would ask about at each start.
docker compose up --no-start

for image in $(docker compose config --images); do
  if docker image inspect "$image" > /dev/null 2>&1; then break; fi
done

for archive in "$source"/*.tar.gz; do
  volume=$(basename "$archive" .tar.gz)
  helper=$(docker create --network none --volume "$volume:/volume" "$image" none)
  gunzip -c "$archive" | docker cp - "$helper:/"
  docker rm "$helper" > /dev/null
  helper=
  echo "$volume: restored"
done

docker compose up --detach --wait
