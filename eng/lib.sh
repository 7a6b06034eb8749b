# shellcheck shell=bash
# What ./hazumu and the scripts in eng/ share: messages, the container engine, Debian's packages.
# Sourced, never run. Runs on macOS' bash 3.2 too: no associative arrays, no mapfile, no "${empty[@]}".

STATE=$ROOT/.hazumu # logs, fetched programs, work folders

say() { printf 'hazumu: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
misuse() { say "$@"; exit 2; }
have() { command -v "$1" > /dev/null 2>&1; }
last_line() { awk 'NF { line = $0 } END { print line }' "$1" 2> /dev/null || true; }

# Root through 'su' has a PATH without dockerd, iptables and the helpers of dpkg.
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

# Starts Docker on Debian and Ubuntu, and installs it if it is missing. Elsewhere Hazumu.AppHost reports what is wrong with the engine.
prepare_engine() {
  choose_engine
  if [ "$ENGINE" != docker ] || [ -n "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ] || ! is_debian_root || engine_answers; then return 0; fi
  if ! have docker || ! have dockerd; then
    say "No container engine here: installing the package docker.io (log: .hazumu/apt.log)."
    # A kernel with AppArmor needs its parser; newer releases have the client in a package of its own.
    if ! apt_install docker.io iptables ca-certificates apparmor || ! { have docker || apt_install docker-cli; }; then
      say "docker.io could not be installed ($(last_line "$STATE/apt.log")); .hazumu/apt.log has more details."
      return 0
    fi
    hash -r
  fi
  # The package may have started its service by itself.
  engine_answers || start_docker
}

# By systemd if it runs, else as a process of its own that outlives this script.
start_docker() {
  local pid='' deadline=$((SECONDS + 60))
  if [ -d /run/systemd/system ]; then
    say "Starting Docker (systemctl start docker). It stays running; 'systemctl stop docker' stops it."
    systemctl start docker > "$STATE/dockerd.log" 2>&1 < /dev/null || true
  else
    say "Starting dockerd (log: .hazumu/dockerd.log). It stays running; 'kill \$(cat /var/run/docker.pid)' stops it."
    # Without systemd the control groups may not be mounted, and no container starts without them.
    grep -q ' /sys/fs/cgroup' /proc/mounts || mount -t cgroup2 cgroup2 /sys/fs/cgroup || true
    # A session of its own and no stream of ours: a caller that waits for our output to end must not wait for dockerd.
    (cd / && exec setsid dockerd > "$STATE/dockerd.log" 2>&1 < /dev/null) &
    pid=$!
    disown "$pid"
  fi
  until engine_answers; do
    if [ "$SECONDS" -ge "$deadline" ] || { [ -n "$pid" ] && ! kill -0 "$pid" 2> /dev/null && ! engine_answers; }; then
      say "dockerd was started but does not answer ($(last_line "$STATE/dockerd.log" | cut -c 1-300)); .hazumu/dockerd.log has more details."
      return 0
    fi
    sleep 0.2
  done
}
