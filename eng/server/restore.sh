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

# What could fail half way is tried before anything is taken away.
for archive in "$source"/*.tar.gz; do
  gzip -t "$archive" || fail "$archive cannot be unpacked; nothing was changed."
done
for image in $(docker compose config --images); do
  docker image inspect "$image" > /dev/null 2>&1 || docker pull "$image" ||
    fail "The image $image is not here and cannot be pulled; nothing was changed."
done

helper=
began=
finish() {
  status=$?
  trap '' INT TERM HUP
  set +e
  if [ -n "$helper" ]; then docker rm "$helper" > /dev/null 2>&1; fi
  if [ "$status" -ne 0 ] && [ -n "$began" ]; then echo "The restore is not finished and the application stands still; run it again." >&2; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM
trap 'exit 129' HUP

docker compose down
for archive in "$source"/*.tar.gz; do
  volume=$(basename "$archive" .tar.gz)
  user=$(docker ps --all --filter "volume=$volume" --format '{{.Names}}' | sed -n 1p)
  if [ -n "$user" ]; then
    docker compose up --detach
    fail "$volume is in use by the container $user, which is none of this application's; remove that first. Nothing was changed."
  fi
done

began=yes
for archive in "$source"/*.tar.gz; do
  volume=$(basename "$archive" .tar.gz)
  if docker volume inspect "$volume" > /dev/null 2>&1; then docker volume rm "$volume" > /dev/null; fi
done
# Compose makes the volumes: one of another's making it would ask about at each start.
docker compose up --no-start

for archive in "$source"/*.tar.gz; do
  volume=$(basename "$archive" .tar.gz)
  helper=$(docker create --network none --volume "$volume:/volume" "$image" none)
  gunzip -c "$archive" | docker cp - "$helper:/"
  docker rm "$helper" > /dev/null
  helper=
  echo "$volume: restored"
done

docker compose up --detach --wait
