#!/bin/sh
# Replaces the application in this folder by the one of a bundle, which 'hazumu bundle FILE' writes. If that does not become healthy, the
# former one is restored: its files, images and volumes.
#
#   sh upgrade.sh BUNDLE           keeps a backup in a new folder beside this one
#   sh upgrade.sh BUNDLE FOLDER    keeps it in FOLDER
#
# .env, secrets, files of your own, the choice of leave-out.sh and grafana/access/access.conf stay. So does every other published file that
# you changed, unless the bundle changes it as well: then the bundle's is used, and the output names the file.
set -eu

LC_ALL=C # for sorting, and for what sha256sum prints
export LC_ALL

LIMIT=300 # seconds until every container must be healthy
ACCESS=grafana/access/access.conf

misuse() {
  echo "$1" >&2
  exit 2
}

case $# in
  1 | 2) ;;
  *) misuse "Usage: sh upgrade.sh BUNDLE [FOLDER]" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/compose/volumes.sh
. "$here/volumes.sh"
absolute() {
  parent=$(cd "$(dirname "$1")" 2> /dev/null && pwd) || fail "The folder $(dirname "$1") of $1 does not exist; nothing was changed."
  echo "${parent%/}/$(basename "$1")"
}
bundle=$(absolute "$1")
backup=$(absolute "${2:-$here.before-$(date -u +%Y%m%dT%H%M%SZ)}")
case $backup/ in "$here"/*) fail "The folder $backup is inside the application's; name another. Nothing was changed." ;; esac
cd "$here"

staging=
images=  # lines "IMAGE ID" of the former application, once others may have taken the names
began=   # whether files of the application may have been replaced
done=
finish() {
  status=$?
  trap '' INT TERM HUP
  # A failure here must not keep the former application from being restored.
  set +e
  if [ -z "$done" ]; then
    [ "$status" -ne 0 ] || status=1
    if [ -n "$began" ]; then roll_back; elif [ -n "$images" ]; then name_images; fi
  fi
  if [ -n "$staging" ]; then rm -rf "$staging"; fi
  exit "$status"
}

listed() { sed 's/^[^ ]* [ *]//' "$1/SHA256SUMS"; } # folder: the published files below it

# An application that came without a list of its files has them in these folders.
former_files() {
  if [ -f SHA256SUMS ]; then
    listed .
  else
    find alertmanager alloy blackbox caddy docs grafana loki prometheus prometheus-targets -type f 2> /dev/null || true
  fi
}

remove() { while IFS= read -r file; do rm -f "./$file"; done; }

name_images() {
  echo "$images" | while read -r image id; do
    # The engine cannot tag a reference with a digest, and such a reference always means the same image.
    case $image in *@*) continue ;; esac
    if [ -n "$id" ]; then docker tag "$id" "$image"; fi
  done
}

roll_back() {
  echo "The upgrade failed. These are its containers; the former application is restored from $backup." >&2
  docker compose ps --all >&2
  docker compose down --remove-orphans
  # Not written over: a shell still reads this script.
  listed "$new" | remove
  if cp -R -P -p "$backup/application/." . && name_images && sh restore.sh "$backup" --yes; then
    echo "The former application runs again. The backup in $backup stays." >&2
  else
    echo "The former application does not run: correct the cause, and run: sh restore.sh $backup --yes" >&2
  fi
}

trap finish EXIT
trap 'exit 130' INT TERM
trap 'exit 129' HUP

# Everything that can fail is tried before anything is changed.
gzip -dc "$bundle" 2> /dev/null | tar -tf - 2> /dev/null |
  awk '!/^hazumu\// || /(^|\/)\.\.(\/|$)/ { other = 1 } $0 == "hazumu/VERSION" { found = 1 } END { exit other || !found }' ||
  fail "$1 is not a bundle of Hazumu, or is damaged; nothing was changed."
staging=$(mktemp -d "$here.upgrade.XXXXXX")
new=$staging/hazumu
gzip -dc "$bundle" 2> /dev/null | (cd "$staging" && tar -xf - 2> /dev/null) || fail "$1 is damaged; nothing was changed."
(cd "$new" && sha256 -c SHA256SUMS > /dev/null 2>&1) || fail "$1 is damaged; nothing was changed."

version=$(sed -n '1s/ .*//p' "$new/VERSION")
former=$(sed -n '1s/ .*//p' VERSION 2> /dev/null || true)
if [ "$(printf '%s\n' "$former" "$version" | sort | sed -n 1p)" != "$former" ]; then
  fail "$1 is of $version, and older than this application, which is of $former; nothing was changed."
fi

# The staged folder becomes what this one will be: the published files, with what stays of this one.
replaced=
if [ -f SHA256SUMS ]; then
  changed=$(sha256 -c SHA256SUMS 2> /dev/null | sed -n 's/: FAILED.*//p' || true)
else
  changed=$ACCESS
fi
for file in $changed; do
  if [ ! -f "$file" ] || [ ! -f "$new/$file" ]; then continue; fi
  if [ "$file" = "$ACCESS" ] || [ "$(grep " [ *]$file\$" SHA256SUMS)" = "$(grep " [ *]$file\$" "$new/SHA256SUMS")" ]; then
    cp -p "$file" "$new/$file"
  else
    replaced="$replaced $file"
  fi
done
for entry in ./* ./.[!.]*; do
  if [ "$entry" != ./left-out ] && [ -e "$entry" ] && [ ! -e "$new/$entry" ]; then ln -s "$here/$entry" "$new/$entry"; fi
done
# A list of words.
left_out=$(sed -n '1s/.*: sh leave-out.sh//p' left-out/docker-compose.yaml 2> /dev/null || true)
# shellcheck disable=SC2086
if [ -d left-out ]; then (cd "$new" && sh leave-out.sh $left_out > /dev/null) || fail "leave-out.sh does not accept$left_out any more; nothing was changed."; fi

docker version > /dev/null || fail "The container engine does not answer; nothing was changed."
needed=$(cd "$new" && docker compose config --images) || fail "Compose does not accept the new files together with .env and yours; nothing was changed."
loaded=
if [ -f "$new/gateway.tar.gz" ]; then loaded=$(gzip -dc "$new/gateway.tar.gz" | tar -xOf - manifest.json); fi
for image in $needed; do
  case $loaded in *"\"$image\""*) continue ;; esac
  docker image inspect "$image" > /dev/null 2>&1 || docker pull "$image" || fail "The image $image is not here and cannot be pulled; nothing was changed."
done

# It creates the secrets that the new application needs and the former one ignores.
mkdir -p secrets
[ -e "$new/secrets" ] || ln -s "$here/secrets" "$new/secrets"
(cd "$new" && sh secrets.sh) || fail "The settings do not suit the new application; nothing was changed."

sh backup.sh "$backup" --without-models
{ (cd "$backup" && sha256 -c SHA256SUMS > /dev/null 2>&1) && gzip -t "$backup"/*.tar.gz; } || fail "The backup in $backup is damaged; nothing was changed."
mkdir "$backup/application"
cp -R -P -p . "$backup/application/"

images=$(docker compose config --images | sort -u | while read -r image; do echo "$image $(docker image inspect --format '{{.Id}}' "$image" 2> /dev/null < /dev/null)"; done)
if [ -n "$loaded" ]; then docker load --input "$new/gateway.tar.gz"; fi

began=yes
former_files | remove
listed "$new" | while IFS= read -r file; do
  mkdir -p "$(dirname "$file")"
  cp "$new/$file" "$file"
done
cp "$new/SHA256SUMS" SHA256SUMS
# shellcheck disable=SC2086
if [ -d left-out ]; then sh leave-out.sh $left_out; fi
sh secrets.sh > /dev/null
docker compose up --detach --wait --wait-timeout "$LIMIT" --force-recreate --remove-orphans

done=yes
if [ -n "$replaced" ]; then echo "The bundle has its own version of files that you changed:$replaced. Yours are in $backup/application."; fi
echo "The application is of $version now. The former one, with its volumes but without models, is in $backup."
