# shellcheck shell=bash
# shellcheck disable=SC2034 # some variables are for the scripts that source this
# What ./hazumu and the scripts in eng/ share: words to the user, the container engine, Debian's packages.
# Sourced, never run. Runs on macOS' bash 3.2 too: no associative arrays, no mapfile, no "${empty[@]}".

STATE=$ROOT/.hazumu # whatever the scripts write: logs, programs fetched, work folders

say() { printf 'hazumu: %s\n' "$*"; }
warn() { say "$@" >&2; }
fail() { warn "$@"; exit 1; }
misuse() { warn "$@"; exit 2; }

have() { command -v "$1" > /dev/null 2>&1; }

# Of a file, which may be empty or missing: that must not end the script whose message this is for.
last_line() { awk 'NF { line = $0 } END { print line }' "$1" 2> /dev/null || true; }

# bounded SECONDS COMMAND...: as timeout(1), which macOS lacks; 124 where time ran out.
bounded() {
  local deadline=$((SECONDS + $1)) pid
  shift
  "$@" < /dev/null &
  pid=$!
  while kill -0 "$pid" 2> /dev/null; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      kill "$pid" 2> /dev/null
      wait "$pid" 2> /dev/null
      return 124
    fi
    sleep 0.05
  done
  wait "$pid"
}

# --- the machine

is_root() { [ "$(id -u)" -eq 0 ]; }

# A root by way of 'su' has a PATH without dockerd, iptables and the helpers of dpkg.
if is_root; then PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; fi

# Debian, Ubuntu and what descends from them, with the rights and the tools to install packages.
is_debian_root() {
  is_root && have apt-get && have dpkg-deb && grep -qiE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2> /dev/null
}

has_systemd() { [ -d /run/systemd/system ]; }

apt_install() { # packages...
  DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 install "$@" \
    >> "$STATE/apt.log" 2>&1 < /dev/null
}

apt_update() { apt-get -q update >> "$STATE/apt.log" 2>&1 < /dev/null; }

apt_knows() { apt-cache policy "$1" 2> /dev/null | grep -q 'Candidate: [0-9]'; }

# --- the container engine

ENGINE=         # docker or podman, once choose_engine ran
ENGINE_PROBLEM= # a sentence, where prepare_engine fails

# One engine for everything that runs below: this script, Aspire and the tests read the same variable.
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

ANSWER_LIMIT=30 # seconds that the engine has to answer, as the AppHost's ContainerEngine has it

# Whether the engine takes commands; what it says instead is left in engine.log.
engine_answers() {
  have "$ENGINE" || return 1
  bounded "$ANSWER_LIMIT" "$ENGINE" info --format '{{json .}}' > "$STATE/engine.json" 2> "$STATE/engine.log" || return 1
  # Docker's client may exit with 0 and list ServerErrors when the daemon does not answer.
  ! grep -oE '"ServerErrors":\["[^"]*"' "$STATE/engine.json" | sed 's/.*\["//; s/"$//' | grep . >> "$STATE/engine.log"
}

# Makes sure that an engine answers; starts or installs one where that is this script's business.
prepare_engine() {
  choose_engine
  if engine_answers; then return 0; fi

  if [ "$ENGINE" = docker ] && is_debian_root && [ -z "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ]; then
    { have docker && have dockerd; } || install_docker || return 1
    # The package may have started its service by itself.
    engine_answers || start_docker
  else
    ENGINE_PROBLEM=$(explain_engine)
    return 1
  fi
}

# In the AppHost's words (Preflight/ContainerEngine.cs): the README lists them once.
explain_engine() {
  local said
  said=$(last_line "$STATE/engine.log")
  if ! have "$ENGINE"; then
    echo "No container engine: there is no '$ENGINE' command on PATH; install Docker (https://docs.docker.com/engine/install/) or Podman."
  elif [ -z "$said" ]; then
    echo "The container engine does not answer '$ENGINE info' within $ANSWER_LIMIT s; restart it and try again."
  elif grep -qi 'permission denied' <<< "$said"; then
    echo "This user may not use the container engine ($said); add the user to the group 'docker', log in again, and try again."
  else
    echo "The container engine does not answer '$ENGINE info' ($said); start Docker (or Podman) and try again."
  fi
}

install_docker() {
  local packages="docker.io iptables ca-certificates"
  say "No container engine here: installing Debian's docker.io and iptables (log: .hazumu/apt.log)."
  : > "$STATE/apt.log"
  apt_update || true # an unreachable extra source must not stop what the main one can give
  # Newer releases have the client in a package of its own, and a kernel with AppArmor wants its parser.
  if apt_knows docker-cli; then packages="$packages docker-cli"; fi
  if grep -qs Y /sys/module/apparmor/parameters/enabled; then packages="$packages apparmor"; fi
  # shellcheck disable=SC2086 # a list of words
  if ! apt_install $packages; then
    ENGINE_PROBLEM="docker.io could not be installed ($(last_line "$STATE/apt.log")); .hazumu/apt.log tells more."
    return 1
  fi
  hash -r # forget where 'docker' was not
}

# By systemd where it runs, else as a process of its own that outlives this script.
start_docker() {
  local pid='' deadline=$((SECONDS + 60))
  if has_systemd; then
    say "Starting Docker (systemctl start docker). It stays running; 'systemctl stop docker' stops it."
    systemctl start docker > "$STATE/dockerd.log" 2>&1 < /dev/null || true
  else
    say "Starting dockerd (log: .hazumu/dockerd.log). It stays running; 'kill \$(cat /var/run/docker.pid)' stops it."
    mount_cgroups
    # A session of its own and no stream of ours: whoever waits for our output to end must not wait for dockerd.
    (cd / && exec setsid dockerd > "$STATE/dockerd.log" 2>&1 < /dev/null) &
    pid=$!
    disown "$pid"
  fi

  until engine_answers; do
    if [ "$SECONDS" -ge "$deadline" ] || { [ -n "$pid" ] && ! kill -0 "$pid" 2> /dev/null && ! engine_answers; }; then
      ENGINE_PROBLEM="dockerd was started but does not answer ($(last_line "$STATE/dockerd.log" | cut -c 1-300)); .hazumu/dockerd.log tells more."
      return 1
    fi
    sleep 0.2
  done
}

# Without systemd there may be nobody who has mounted them, and no container starts without.
mount_cgroups() {
  grep -q ' /sys/fs/cgroup' /proc/mounts || mount -t cgroup2 cgroup2 /sys/fs/cgroup || true
}

# Whether the engine's containers see this machine's own kernel and ports.
engine_is_local() {
  [ "$(uname)" = Linux ] || return 1
  case ${DOCKER_HOST:-unix:} in unix:*) return 0 ;; *) return 1 ;; esac
}

kernel_grants() { # number of a capability
  local set
  set=$(awk '/^CapBnd:/ { print $2 }' /proc/self/status)
  [ $(((16#${set:-ffffffffff} >> $1) & 1)) -eq 1 ]
}

# The kernel refuses a privileged container every time where this process may not have CAP_SYS_RESOURCE either.
privileged_is_refused() { engine_is_local && ! kernel_grants 24; }

# --- Debian's packages, newer than the machine's own release, without touching the machine's apt

SUITE=${SUITE:-sid}
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror that the machine's own apt reads Debian from.
debian_mirror() {
  local mirror=${HAZUMU_DEBIAN_MIRROR:-}
  [ -n "$mirror" ] || mirror=$(apt_mirror)
  if [ -z "$mirror" ]; then
    # Nothing is known of the sources before the first update.
    apt-get -q update > /dev/null 2>&1 < /dev/null || true
    mirror=$(apt_mirror)
  fi
  echo "$mirror"
}

apt_mirror() {
  # shellcheck disable=SC2016 # apt's own variable
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | sed -n 1p
}

# Why Debian's packages cannot be had; nothing where they can.
debian_problem() {
  if ! is_debian_root; then
    echo "that needs Debian and root"
  elif [ ! -f "$DEBIAN_KEYRING" ]; then
    echo "the package debian-archive-keyring is not installed"
  elif [ -z "$(debian_mirror)" ]; then
    echo "apt on this machine reads no Debian mirror; HAZUMU_DEBIAN_MIRROR can name one"
  fi
}

# debian_download FOLDER PACKAGE...: puts $SUITE's packages into FOLDER/debs, with an apt state of FOLDER's own.
debian_download() {
  local work=$1
  shift
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/debs"
  : > "$work/status"
  echo "deb [signed-by=$DEBIAN_KEYRING] $(debian_mirror) $SUITE main" > "$work/sources.list"
  # Whatever is not set here stays as the machine has it, its proxy above all.
  cat > "$work/apt.conf" << EOF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Sandbox::User "root";
EOF
  apt-get -c "$work/apt.conf" -q update < /dev/null &&
    (cd "$work/debs" && apt-get -c "$work/apt.conf" -q download "$@" < /dev/null)
}
