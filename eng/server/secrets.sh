#!/bin/sh
# Makes the secrets that production needs, those that are missing; none that is there is touched.
#
#   sh secrets.sh
#
# The folder may be entered by its owner alone. The files in it may be read by everybody who gets there: containers, whose users are
# no users of this machine, see the files and not the folder.
set -eu
cd "$(dirname "$0")"

make() { # file, what it is
  if [ -s "secrets/$1" ]; then
    echo "secrets/$1 is there."
    return 0
  fi
  # 256 bits. No newline at the end: not everybody who reads it would drop that.
  od -An -tx1 -N32 /dev/urandom | tr -d ' \n' > "secrets/$1.new"
  chmod 0644 "secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
  echo "secrets/$1 is made: $2."
}

mkdir -p secrets
chmod 0700 secrets
make grafana_admin_password "the password of Grafana's administrator"
make grafana_secret_key "what Grafana encrypts secrets with"
make gateway_peers "what several gateways know each other by"
# First passwords for grafana/access/access.conf; empty as long as nobody needs one.
[ -e secrets/grafana_users ] || : > secrets/grafana_users
chmod 0644 secrets/grafana_users
