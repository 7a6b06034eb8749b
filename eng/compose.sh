# shellcheck shell=bash
# shellcheck disable=SC2034 # some variables are ./hazumu's
# The published Compose application, run by ./hazumu where the AppHost cannot be built; and the Compose that the tests use.
# Sourced by ./hazumu, never run. Runs on macOS' bash 3.2 too.

HEALTH_LIMIT=300 # seconds until every container is healthy

COMPOSE_PROBLEM=

run_compose() {
  local services section
  check_compose_settings
  prepare_compose || fail "$COMPOSE_PROBLEM"
  set_compose_command
  settle_privileges
  check_ports
  leave_out_of_compose
  if is_enabled Ollama; then say "GPU for 'ollama': ${GPU:-none (CPU only)}, because $(explain_gpu)."; fi
  # Production's own checks are in its containers.
  if is_production; then sh "$COMPOSE_FOLDER/secrets.sh"; fi
  services=$(lower "$(enabled_sections | paste -sd ' ' -)")
  say "Starting $services ..."

  COMPOSE_UP=yes
  # shellcheck disable=SC2086 # a list of words
  if ! interruptible "${COMPOSE[@]}" up --detach --wait --wait-timeout "$HEALTH_LIMIT" $services; then
    "${COMPOSE[@]}" ps --all
    "${COMPOSE[@]}" logs --tail 30
    fail "Not every container became healthy; their state and last words are above."
  fi

  printf '\n'
  for section in $(published_sections); do
    printf '  %-12s http://%s:%s\n' "$(lower "$section")" "$(shown_host)" "$(port_of "$section")"
  done
  printf '\n'
  pull_models
  say "All healthy. Logs follow; Ctrl+C stops the containers, the volumes stay."
  INTERRUPTED=0
  interruptible "${COMPOSE[@]}" logs --follow --tail 0
}

# Prometheus looks for what is started, and no alert misses the rest.
leave_out_of_compose() {
  local section services='' folder=$STATE/left-out
  for section in $(components | sed 's/ .*//'); do
    case $section in Edge | Prometheus) continue ;; esac
    # An option's services are in a file of their own, and so are their targets.
    if ! is_enabled "$section" && grep -q "^  $(lower "$section"):\$" "$COMPOSE_FILE"; then services="$services $(lower "$section")"; fi
  done
  # Development has no edge anyway, and nobody may wait for what is left out.
  case "$services " in *' gateway '*) is_production || services="$services edge" ;; esac
  # shellcheck disable=SC2086 # a list of words
  LEFT_OUT_FOLDER=$folder sh "$COMPOSE_FOLDER/leave-out.sh" $services > /dev/null
  if [ -n "$services" ]; then COMPOSE+=(-f "$folder/docker-compose.yaml"); fi
}

# In production the edge alone has a port of the host's.
published_sections() { if is_production; then echo Edge; else enabled_sections; fi; }

set_compose_command() {
  local file
  case $HAZUMU_COMPOSE in
    'docker compose' | 'podman compose') COMPOSE=("${HAZUMU_COMPOSE% *}" compose) ;;
    *) COMPOSE=("$HAZUMU_COMPOSE") ;;
  esac
  while read -r file; do COMPOSE+=(-f "$file"); done < <(compose_files)
}

# --- the gateway's image, which no registry has

GATEWAY_PROBLEM=

# Has the image that the Compose application runs, of this checkout as it is: by its Dockerfile, or where the images of that cannot
# be had, of what this machine and Debian have. False where neither can be; GATEWAY_PROBLEM tells why.
prepare_gateway_image() {
  local image base
  is_enabled Gateway || [ -n "$TESTING" ] || return 0
  image=$(setting Gateway__Image)
  if [ -n "$image" ]; then
    if has_image "$image" || pull_image Gateway "$image"; then return 0; fi
    GATEWAY_PROBLEM="the image $image (Hazumu:Gateway:Image) cannot be pulled ($(pull_said Gateway))"
    return 1
  fi

  image=$(components | sed -nE 's/^Gateway - //p')
  for base in $(sed -nE 's/^FROM ([^ ]+).*/\1/p' Hazumu.Gateway/Dockerfile); do
    if ! has_image "$base" && ! pull_image Gateway "$base"; then
      build_gateway_from_debian "$base"
      return
    fi
  done
  say "Building the image $image (log: .hazumu/gateway-image.log)."
  if DOCKER_BUILDKIT=1 interruptible "$ENGINE" build -f Hazumu.Gateway/Dockerfile -t "$image" . > "$STATE/gateway-image.log" 2>&1; then return 0; fi
  GATEWAY_PROBLEM="the image $image cannot be built ($(last_line "$STATE/gateway-image.log")); .hazumu/gateway-image.log tells more"
  return 1
}

build_gateway_from_debian() { # image that could not be pulled
  local problem
  problem=$(debian_problem)
  if [ -n "$problem" ]; then
    GATEWAY_PROBLEM="its image cannot be built by Hazumu.Gateway/Dockerfile ($1: $(pull_said Gateway)), nor from Debian's packages: $problem"
    return 1
  fi
  say "Building the gateway's image from this machine's .NET runtime and Debian's packages (log: .hazumu/gateway-image.log)."
  if interruptible eng/images-from-debian.sh gateway > "$STATE/gateway-image.log" 2>&1; then return 0; fi
  GATEWAY_PROBLEM="its image cannot be built ($(last_line "$STATE/gateway-image.log")); .hazumu/gateway-image.log tells more"
  return 1
}

# Finds or fetches Docker Compose v2. HAZUMU_COMPOSE tells the tests, too, how it is called: two words ("docker compose",
# "podman compose"), or else a program's name or path, which may have spaces.
prepare_compose() {
  find_compose || { fetch_compose && find_compose; } || return 1
  export HAZUMU_COMPOSE
}

find_compose() {
  if is_compose "$ENGINE" compose; then
    HAZUMU_COMPOSE="$ENGINE compose"
  elif is_compose docker-compose; then
    HAZUMU_COMPOSE=docker-compose
  elif is_compose "$STATE/bin/docker-compose"; then
    HAZUMU_COMPOSE=$STATE/bin/docker-compose
  else
    return 1
  fi
}

is_compose() { # command...: whether that is Compose, and not its first version
  local major
  major=$("$@" version --short 2> /dev/null < /dev/null | sed -nE 's/^v?([0-9]+)\..*/\1/p') || return 1
  [ "${major:-0}" -ge 2 ]
}

fetch_compose() {
  COMPOSE_PROBLEM="Docker Compose v2 is not installed (https://docs.docker.com/compose/install/)."
  if [ "$ENGINE" != docker ] || ! is_debian_root; then return 1; fi

  local package
  apt_update || true
  for package in docker-compose-v2 docker-compose; do
    case $(apt-cache policy "$package" 2> /dev/null | sed -nE 's/ *Candidate: *//p') in
      [2-9].*)
        say "Docker Compose is not installed: installing the package $package (log: .hazumu/apt.log)."
        if apt_install "$package"; then return 0; fi
        ;;
    esac
  done
  unpack_compose
}

# Debian 12 has no Compose newer than version 1; the program of a later release runs on it.
unpack_compose() {
  local work problem
  problem=$(debian_problem)
  if [ -n "$problem" ]; then
    COMPOSE_PROBLEM="$COMPOSE_PROBLEM It cannot be had from Debian's packages: $problem."
    return 1
  fi
  say "Docker Compose is not installed: unpacking Debian's into .hazumu/bin (log: .hazumu/compose.log)."
  work=$(mktemp -d "$STATE/compose.XXXXXX")
  mkdir -p "$STATE/bin"
  if debian_download "$work" docker-compose > "$STATE/compose.log" 2>&1 &&
    dpkg-deb --extract "$work"/debs/docker-compose_*.deb "$work/tree" &&
    mv "$work/tree/usr/libexec/docker/cli-plugins/docker-compose" "$STATE/bin/"; then
    rm -rf "$work"
    return 0
  fi
  rm -rf "$work"
  COMPOSE_PROBLEM="$COMPOSE_PROBLEM Debian's could not be fetched ($(last_line "$STATE/compose.log"))."
  return 1
}

# The settings of deploy/compose/.env that the environment does not have become part of it: what is said and checked here is
# then what Compose runs. Whatever else the file has, a password above all, is left to Compose; so is a value with a '$'.
take_env_file() {
  local line name value taken=' '
  while IFS= read -r line || [ -n "$line" ]; do
    line=$(sed -E 's/^[[:space:]]+//; s/^export[[:space:]]+//; s/[[:space:]]+$//' <<< "$line")
    case $line in [Hh][Aa][Zz][Uu][Mm][Uu]__*=*) ;; *) continue ;; esac
    name=$(sed -E 's/[[:space:]]*=.*//' <<< "$line")
    case $name in *[!A-Za-z0-9_]*) continue ;; esac
    value=$(env_file_value "${line#*=}")
    case $value in *\$*) continue ;; esac
    name=$(canonical "$name")
    # A later line of the file wins over an earlier one, the environment over both.
    case $taken in *" $name "*) ;; *) if [ -n "${!name+set}" ]; then continue; fi ;; esac
    export "$name=$value"
    taken="$taken$name "
  done < "$COMPOSE_FOLDER/.env"
  check_switches
}

env_file_value() { # what follows the '=': without quotes, without a comment
  sed -E 's/^[[:space:]]+//' <<< "$1" | sed -E \
    -e "s/^'([^']*)'.*/\\1/; t" \
    -e 's/^"([^"]*)".*/\1/; t' \
    -e 's/^#.*//; s/[[:space:]]+#.*//'
}

check_compose_settings() {
  local name known
  [ ${#REST[@]} -eq 0 ] || misuse "'${REST[0]}' is for the AppHost and means nothing to the published Compose application."
  known=$(known_settings)
  for name in $(env | sed -nE 's/^(Hazumu__[A-Za-z0-9_]+)=.*/\1/p'); do
    case $name in Hazumu__Models__[0-9]*) continue ;; esac
    grep -qxF "$name" <<< "$known" ||
      misuse "Unknown setting '${name//__/:}' ($name): the published Compose application has $(paste -sd ' ' - <<< "${known//__/:}")."
    case $name in
      Hazumu__Gpu) allow "$name" auto none nvidia amd ;;
      Hazumu__CAdvisor__Privileged) allow "$name" auto true false ;;
    esac
  done
  # In the AppHost's words (Ollama/GpuChoice.cs).
  case $(lower "$(setting Gpu)") in
    nvidia)
      engine_offers_nvidia ||
        fail "Hazumu:Gpu is 'nvidia', but the container engine has no NVIDIA runtime; install the NVIDIA Container Toolkit (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/) or set Hazumu:Gpu to auto or none."
      ;;
    amd)
      has_amd_device ||
        fail "Hazumu:Gpu is 'amd', but this machine has no /dev/kfd and /dev/dri; install the amdgpu driver with ROCm (https://rocm.docs.amd.com/) or set Hazumu:Gpu to auto or none."
      ;;
  esac
}

explain_gpu() { # also in the AppHost's words
  case $(lower "$(setting Gpu)") in
    none | nvidia | amd) echo "Hazumu:Gpu says so" ;;
    *)
      if [ "$GPU" = nvidia ]; then
        echo "this machine has an NVIDIA GPU and the container engine offers it"
      elif [ "$GPU" = amd ]; then
        echo "this machine has /dev/kfd and /dev/dri"
      elif [ -e /dev/nvidiactl ]; then
        echo "this machine has an NVIDIA GPU, but the container engine has no NVIDIA runtime: install the NVIDIA Container Toolkit to use it"
      elif engine_offers_nvidia; then
        echo "the container engine has an NVIDIA runtime, but this machine shows no NVIDIA device"
      else
        echo "neither an NVIDIA nor an AMD GPU was found"
      fi
      ;;
  esac
}

# The AppHost finds out by itself whether cAdvisor may be privileged; Compose has to be told. 'auto' is no word of Compose's.
settle_privileges() {
  is_enabled CAdvisor || return 0
  case $(lower "$(setting CAdvisor__Privileged)") in
    '' | auto) ;;
    *) return 0 ;;
  esac
  if privileged_is_refused; then
    say "This kernel refuses privileged containers: cadvisor runs without privileges (Hazumu:CAdvisor:Privileged=false)."
    export Hazumu__CAdvisor__Privileged=false
  elif [ -n "${Hazumu__CAdvisor__Privileged+set}" ]; then
    # Not unset: Compose would read the word from its .env again.
    export Hazumu__CAdvisor__Privileged=true
  fi
}

# Compose's own message names neither the setting nor who holds the port; these are the AppHost's words (Preflight/PortCheck.cs).
check_ports() {
  local section port address host taken=''
  case ${DOCKER_HOST:-} in tcp:* | ssh:*) return 0 ;; esac
  address=$(setting BindAddress)
  address=${address:-127.0.0.1}
  case $address in 0.0.0.0 | ::) host=127.0.0.1 ;; *) host=$address ;; esac
  for section in $(published_sections); do
    port=$(port_of "$section")
    case $port in *[!0-9]* | '' | 0* | ??????*) misuse "'Hazumu:$section:Port' is '$port'; allowed: a port from 1 to 65535." ;; esac
    if (: > "/dev/tcp/$host/$port") 2> /dev/null; then
      warn "Port $port of $address, for '$(lower "$section")', is taken$(port_holder "$port"); stop that or set Hazumu:$section:Port to a free port."
      taken=yes
    fi
  done
  [ -z "$taken" ] || exit 1
}

port_holder() { # port
  local container id process=''
  container=$("$ENGINE" ps --filter "publish=$1" --format '{{.Names}}' < /dev/null | sed -n 1p)
  if [ -n "$container" ]; then
    id=$("$ENGINE" ps --quiet --no-trunc --filter "publish=$1" < /dev/null | sed -n 1p)
    if "${COMPOSE[@]}" ps --quiet 2> /dev/null < /dev/null | grep -xF "$id" > /dev/null; then
      echo " by the published application, which runs already ('$HAZUMU_COMPOSE -f $COMPOSE_FILE down' stops it)"
    else
      echo " by the container '$container'"
    fi
    return
  fi
  if have ss; then
    process=$(ss -Hltnp "sport = :$1" | sed -nE "s/.*users:\(\(\"([^\"]+)\",pid=([0-9]+).*/'\1' (pid \2)/p" | sed -n 1p)
  elif have lsof; then
    process=$(lsof -nP -iTCP:"$1" -sTCP:LISTEN 2> /dev/null | awk -v q="'" 'NR == 2 { print q $1 q " (pid " $2 ")" }')
  fi
  [ -z "$process" ] || echo " by process $process"
}

shown_host() {
  local host
  host=$(setting BindAddress)
  case $host in
    '' | 127.0.0.1 | 0.0.0.0 | :: | ::1) echo localhost ;;
    *:*) echo "[$host]" ;;
    *) echo "$host" ;;
  esac
}

# Hazumu:Models is a list, or names separated by commas.
models() {
  {
    setting Models
    env | sed -nE 's/^Hazumu__Models__[0-9]+=//p'
  } | awk -F '[, ]+' '{ for (i = 1; i <= NF; i++) if ($i != "" && !seen[$i]++) print $i }'
}

pull_models() {
  local model
  for model in $(models); do
    if ! is_enabled Ollama; then
      warn "The model $model is not pulled: ollama is left out."
      continue
    fi
    # One that is there already needs no way to its registry.
    if "${COMPOSE[@]}" exec -T ollama ollama show "$model" > "$STATE/model.log" 2>&1 < /dev/null; then continue; fi
    say "Pulling the model $model (log: .hazumu/model.log) ..."
    interruptible "${COMPOSE[@]}" exec -T ollama ollama pull "$model" > "$STATE/model.log" 2>&1 ||
      warn "The model $model cannot be pulled: $(last_line "$STATE/model.log")"
  done
}
