# shellcheck shell=bash
# What ./hazumu and the scripts in eng/ share: messages, the container engine, Debian's packages.
# Sourced, never run. Runs on macOS' bash 3.2 too: no associative arrays, no mapfile, no "${empty[@]}".

STATE=$ROOT/.hazumu # logs, fetched programs, work folders

say() { printf 'hazumu: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
misuse() { say "$@"; exit 2; }
have() { command -v "$1" > /dev/null 2>&1; }
last_line() { awk 'NF { line = $0 } END { print line }' "$1" 2> /dev/null || true; }

# Root by way of 'su' has a PATH without dockerd, iptables and the helpers of dpkg.
if [ "$(id -u)" -eq 0 ]; then PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; fi

# Debian, Ubuntu and their descendants, with the rights and the tools to install packages.
is_debian_root() {
  [ "$(id -u)" -eq 0 ] && have apt-get && have dpkg-deb && grep -qiE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2> /dev/null
}

apt_install() { # packages...
  # An extra source that cannot be reached must not stop what the main one has.
  { apt-get -q update || true; DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 install "$@"; } \
    > "$STATE/apt.log" 2>&1 < /dev/null
}

# One engine for all that runs below: scripts, Aspire and tests read the same variable.
choose_engine() {
  ENGINE=${ASPIRE_CONTAINER_RUNTIME:-${DOTNET_ASPIRE_CONTAINER_RUNTIME:-}}
  if [ -z "$ENGINE" ]; then
    ENGINE=docker
    if ! have docker && have podman; then ENGINE=podman; fi
  fi
  case $ENGINE in
    docker | podman) export ASPIRE_CONTAINER_RUNTIME=$ENGINE ;;
    *) misuse "ASPIRE_CONTAINER_RUNTIME is '$ENGINE'; allowed are docker and podman." ;;
  esac
}

# Not by 'info', with which Docker's client may exit with 0 when the daemon does not answer.
engine_answers() { timeout 30 "$ENGINE" ps --quiet > "$STATE/engine.log" 2>&1 < /dev/null; }
