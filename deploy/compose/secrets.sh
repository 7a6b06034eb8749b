#!/bin/sh
# Prepares the folder for production: creates the secrets that are missing, sets the modes of all files that containers read, and checks
# the settings that a program would refuse only after everything was pulled.
# It never changes the content of a secret. Run it again after files were copied or added.
#
#   sh secrets.sh
#
# Containers run as users that this machine does not know. Only the owner may enter the folder secrets; the files in it, like those of
# the configuration, are readable by everybody who sees them: a container sees the files and not the folder.
set -eu
umask 022
cd "$(dirname "$0")"

fail() {
  echo "$1" >&2
  exit 1
}

make() { # file, what it is
  [ ! -d "secrets/$1" ] || fail "secrets/$1 is a folder, not $2; remove it ('rmdir secrets/$1') and run secrets.sh again."
  if [ -s "secrets/$1" ]; then
    echo "secrets/$1 is there."
    return 0
  fi
  # 256 bits. No newline at the end: not every program that reads it drops that.
  od -An -tx1 -N32 /dev/urandom | tr -d ' \n' > "secrets/$1.new"
  [ "$(wc -c < "secrets/$1.new" | tr -d ' ')" = 64 ] || fail "secrets/$1 cannot be made: /dev/urandom gave too little."
  mv "secrets/$1.new" "secrets/$1"
  echo "secrets/$1 is made: $2."
}

mkdir -p secrets
chmod 0700 secrets
make grafana_admin_password "the password of Grafana's administrator"
make grafana_secret_key "the key that Grafana encrypts its secrets with"
make valkey_password "the password of the store that several gateways share"
# First passwords for grafana/access/access.conf; may stay empty.
[ -e secrets/grafana_users ] || : > secrets/grafana_users
for file in secrets/*; do
  if [ -f "$file" ]; then chmod 0644 "$file"; fi
done

# What the Compose files mount of this folder: with a umask of 077, 'cp' makes copies that no container may read.
sed -n 's/^ *source: "\.\/\([^"]*\)".*/\1/p' docker-compose*.yaml | sort -u | while IFS= read -r source; do
  if [ -e "$source" ]; then chmod -R a+rX "$source"; fi
done

# Those of engines that the application was published with; only their owners have them.
missing=
for secret in $(sed -n 's/^ *file: "\.\/secrets\/\(engine_[^"]*\)".*/\1/p' docker-compose*.yaml | sort -u); do
  case $secret in
    *_ca) what="the certificates of the authorities that the engine's own may be of, in PEM" ;;
    *) what="the key that the engine wants" ;;
  esac
  if [ ! -f "secrets/$secret" ] || [ ! -s "secrets/$secret" ]; then
    echo "secrets/$secret is missing: it is to hold $what." >&2
    missing=yes
  fi
done
[ -z "$missing" ] || fail "Add what is missing and run secrets.sh again."

# As Compose reads them; it refuses by itself what is no port.
if config=$(docker compose config 2> /dev/null); then
  check() { # setting, its value
    printf '%s\n' "$2" | grep -Eq '^([0-9]+(ms|[smhdwy]))+$|^$' || fail "$1 is '$2', which is not a duration: write a number and a unit, such as 15d."
  }
  check Hazumu__Prometheus__Retention "$(printf '%s\n' "$config" | sed -n 's/.*--storage\.tsdb\.retention\.time=\([^"]*\).*/\1/p' | head -n 1)"
  check Hazumu__Loki__Retention "$(printf '%s\n' "$config" | sed -n 's/^ *LOKI_RETENTION: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' | head -n 1)"
else
  echo "The settings are not checked: 'docker compose config' fails here, or there is no Docker Compose."
fi
