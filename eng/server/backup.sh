#!/bin/sh
# Copies the volumes into a folder, an archive each. The application stands still meanwhile, so that what is copied belongs together.
#
#   sh backup.sh FOLDER                    everything
#   sh backup.sh FOLDER --without-models   all but Ollama's models, which can be pulled again
#
# .env and the folder secrets are files of yours, and not in it: keep a copy of them elsewhere.
set -eu

fail() {
  echo "$1" >&2
  exit 1
}

case $# in
  1) without= ;;
  2) [ "$2" = --without-models ] || fail "'$2' is unknown; there is --without-models."; without=ollama ;;
  *) fail "Where to? sh backup.sh FOLDER [--without-models]" ;;
esac
mkdir -p "$1"
target=$(cd "$1" && pwd)
[ -z "$(ls -A "$target")" ] || fail "The folder $1 is not empty; name a new one."
chmod 0700 "$target"
cd "$(dirname "$0")"

# Whoever interrupts this gets the application back all the same, and no half of a copy.
running=$(docker compose ps --services --status running)
helper=
done=
finish() {
  status=$?
  trap '' INT TERM HUP
  # Nothing of this may keep the application from being started again.
  set +e
  if [ -n "$helper" ]; then docker rm "$helper" > /dev/null 2>&1; fi
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

# Any image that is here will do: its container is never started. It is there for the volumes that it would see.
for image in $(docker compose config --images); do
  if docker image inspect "$image" > /dev/null 2>&1; then break; fi
done

for volume in $(docker compose config --volumes); do
  case $without:$volume in ollama:*ollama*) continue ;; esac
  if ! docker volume inspect "$volume" > /dev/null 2>&1; then
    echo "$volume: not there, nothing to copy"
    continue
  fi
  user=$(docker ps --filter "volume=$volume" --format '{{.Names}}')
  [ -z "$user" ] || fail "$volume is in use by $user, which is none of this application's; stop that first."
  helper=$(docker create --network none --volume "$volume:/volume:ro" "$image" none)
  # The engine itself writes the archive, owners and modes included. A pipe would hide its failure.
  docker cp "$helper:/volume" - > "$target/$volume.tar"
  docker rm "$helper" > /dev/null
  helper=
  gzip -1 "$target/$volume.tar"
  echo "$volume: $(du -h "$target/$volume.tar.gz" | cut -f 1)"
done

(cd "$target" && sha256sum -- *.tar.gz > SHA256SUMS)
done=yes
echo "The backup is in $target."
