# shellcheck shell=bash
# shellcheck disable=SC2034 # some variables are ./hazumu's
# Compose and the gateway's image, for the tests of the published Compose application and for ./hazumu image.
# Sourced by ./hazumu, never run. Runs on macOS' bash 3.2 too.

COMPOSE_PROBLEM=

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
