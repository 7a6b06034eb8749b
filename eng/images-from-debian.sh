#!/usr/bin/env bash
# Builds images of the real programs from Debian's packages, for machines that reach no container registry: with the
# names, paths, users, entrypoints and default commands of the upstream images, and the version that Debian has as tag.
# The gateway's image is this checkout's program on the same base, with the .NET runtime of this machine, and otherwise as the .NET SDK
# makes it (PublishContainer).
#
#   eng/images-from-debian.sh COMPONENT...   prints a line "COMPONENT IMAGE" for each image built
#   eng/images-from-debian.sh --list         prints the components that can be built
#   eng/images-from-debian.sh --compose DIR  puts Docker Compose v2 there, which Debian 12 does not have
#
# Needs Debian, root and a container engine that answers. About 25 s and 60 MB of downloads; the machine's own packages
# and apt state are not touched. SUITE (sid) and HAZUMU_DEBIAN_MIRROR (the machine's own) choose the packages.
#
# A further component is a function below, named image_COMPONENT.
set -euo pipefail
shopt -s inherit_errexit

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=eng/lib.sh
. "$ROOT/eng/lib.sh"

BASE="libc6 busybox-static tzdata ca-certificates" # what every image has

# --- one function per component: fill the root file system, then pack it

image_prometheus() {
  local root
  get prometheus promtool
  root=$(new_root prometheus promtool)
  install -d "$root/prometheus"
  cat > "$root/etc/prometheus/prometheus.yml" << 'EOF'
global:
  scrape_interval: 15s
  evaluation_interval: 15s
scrape_configs:
  - job_name: "prometheus"
    static_configs:
      - targets: ["localhost:9090"]
        labels:
          app: "prometheus"
EOF
  chown -R 65534:65534 "$root/prometheus" "$root/etc/prometheus"
  chmod g+w "$root/prometheus"
  pack "$root" prometheus prom/prometheus:v prometheus \
    'WORKDIR /prometheus' 'USER nobody' 'EXPOSE 9090' 'VOLUME /prometheus' \
    'ENTRYPOINT ["/bin/prometheus"]' \
    'CMD ["--config.file=/etc/prometheus/prometheus.yml","--storage.tsdb.path=/prometheus"]'
}

# Upstream's runs as root too, so that it can send ICMP.
image_blackbox() {
  local root
  get prometheus-blackbox-exporter
  root=$(new_root prometheus-blackbox-exporter)
  mv "$root/usr/bin/prometheus-blackbox-exporter" "$root/usr/bin/blackbox_exporter"
  install -d "$root/etc/blackbox_exporter"
  mv "$root/etc/prometheus/blackbox.yml" "$root/etc/blackbox_exporter/config.yml"
  pack "$root" blackbox prom/blackbox-exporter:v prometheus-blackbox-exporter \
    'EXPOSE 9115' \
    'ENTRYPOINT ["/bin/blackbox_exporter"]' \
    'CMD ["--config.file=/etc/blackbox_exporter/config.yml"]'
}

image_alertmanager() {
  local root
  get prometheus-alertmanager
  root=$(new_root prometheus-alertmanager)
  mv "$root/usr/bin/prometheus-alertmanager" "$root/usr/bin/alertmanager"
  install -d -o 65534 -g 65534 "$root/alertmanager"
  install -d "$root/etc/alertmanager"
  pack "$root" alertmanager prom/alertmanager:v prometheus-alertmanager \
    'WORKDIR /alertmanager' 'USER nobody' 'EXPOSE 9093' 'VOLUME /alertmanager' \
    'ENTRYPOINT ["/bin/alertmanager"]' \
    'CMD ["--config.file=/etc/alertmanager/alertmanager.yml","--storage.path=/alertmanager"]'
}

image_nodeexporter() {
  local root
  get prometheus-node-exporter
  root=$(new_root prometheus-node-exporter)
  mv "$root/usr/bin/prometheus-node-exporter" "$root/usr/bin/node_exporter"
  pack "$root" nodeexporter prom/node-exporter:v prometheus-node-exporter \
    'USER nobody' 'EXPOSE 9100' 'ENTRYPOINT ["/bin/node_exporter"]'
}

# Upstream's runs as root, its data and configuration in folders of the root file system.
image_edge() {
  local root
  get caddy
  root=$(new_root caddy)
  install -d "$root/config/caddy" "$root/data/caddy" "$root/srv"
  TRY='caddy version' pack "$root" edge library/caddy: caddy \
    'ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data' 'WORKDIR /srv' 'EXPOSE 80 443 443/udp 2019' \
    'CMD ["caddy","run","--config","/etc/caddy/Caddyfile","--adapter","caddyfile"]'
}

image_valkey() {
  local root packages="valkey-server valkey-tools libatomic1 libjemalloc2 liblzf1 libssl3t64 libsystemd0 libcap2 libzstd1 zlib1g libgcc-s1 libstdc++6"
  # shellcheck disable=SC2086 # a list of words
  get $packages
  # shellcheck disable=SC2086
  root=$(new_root $packages)
  install -d -o 999 -g 999 "$root/data"
  TRY='valkey-server --version' pack "$root" valkey valkey/valkey: valkey-tools \
    'WORKDIR /data' 'EXPOSE 6379' 'VOLUME /data' 'CMD ["valkey-server"]'
}

# Upstream's server listens on every address, which the AppHost asks for by arguments.
image_llamaserver() {
  local root version packages="llama.cpp-tools libllama0 libggml0 libgomp1 libgcc-s1 libstdc++6 libssl3t64 libzstd1 zlib1g"
  # shellcheck disable=SC2086 # a list of words
  get $packages
  # shellcheck disable=SC2086
  root=$(new_root $packages)
  install -d "$root/app"
  ln -s /usr/bin/llama-server "$root/app/llama-server"
  version=$(dpkg-deb -f "$(deb llama.cpp-tools)" Version)
  import "$root" llamaserver "ghcr.io/ggml-org/llama.cpp:server-$(upstream_version "$version")" --version "LABEL hazumu.package=llama.cpp-tools=$version" \
    'ENV LLAMA_ARG_HOST=0.0.0.0 LLAMA_ARG_PORT=8080' 'WORKDIR /app' 'EXPOSE 8080' 'ENTRYPOINT ["/app/llama-server"]'
}

GATEWAY_IMAGE=localhost/hazumu/gateway:dev # as deploy/compose names it
GATEWAY_USER=1654                         # as Microsoft's images have it: APP_UID

# The program depends on the framework, so that nothing but its own packages has to be restored: where it can be built it can be
# packed. The libraries are what Microsoft's builds of the runtime and Debian's need, libzstd1 what libssl does.
image_gateway() {
  local root made_of libraries=(libgcc-s1 libstdc++6 libssl3t64 libzstd1 zlib1g libbrotli1)
  made_of=$(gateway_sources)
  if [ "$("$ENGINE" image inspect --format '{{index .Config.Labels "hazumu.sources"}}' "$GATEWAY_IMAGE" 2> /dev/null)" = "$made_of" ]; then
    echo "gateway $GATEWAY_IMAGE"
    return
  fi
  have dotnet || fail "The gateway's image needs the .NET SDK 10."

  (cd "$ROOT" && dotnet publish Hazumu.Gateway --configuration Release --no-self-contained --output "$WORK/gateway" < /dev/null) >&2
  get "${libraries[@]}"
  root=$(new_root "${libraries[@]}")
  copy_runtime "$root"
  mv "$WORK/gateway" "$root/app"
  echo "app:x:$GATEWAY_USER:$GATEWAY_USER:app:/home:/bin/false" >> "$root/etc/passwd"
  echo "app:x:$GATEWAY_USER:" >> "$root/etc/group"
  # To make a key takes cryptography, which the runtime looks for only when it is used.
  import "$root" gateway "$GATEWAY_IMAGE" 'keys create start --file /tmp/keys.json' \
    "LABEL hazumu.sources=$made_of" \
    'WORKDIR /app' "USER $GATEWAY_USER" 'EXPOSE 8080' \
    "ENV APP_UID=$GATEWAY_USER HTTP_PORTS=8080 DOTNET_RUNNING_IN_CONTAINER=true" \
    'ENTRYPOINT ["/app/Hazumu.Gateway"]'
}

# One word for all that goes into the gateway's image.
gateway_sources() {
  (
    cd "$ROOT"
    dotnet --version
    find Hazumu.Gateway Hazumu.ServiceDefaults Hazumu.Settings global.json Directory.Build.props Directory.Packages.props .editorconfig eng/images-from-debian.sh \
      \( -name bin -o -name obj \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
  ) | sha256sum | cut -c 1-64
}

# The .NET runtime of this machine, to where a program looks for it first.
copy_runtime() { # root
  local name version folder home=''
  install -d "$1/usr/share/dotnet/host/fxr"
  for name in Microsoft.NETCore.App Microsoft.AspNetCore.App; do
    # "Microsoft.NETCore.App 10.0.12 [/usr/share/dotnet/shared/Microsoft.NETCore.App]", the newest last
    read -r version folder <<< "$(dotnet --list-runtimes | sed -nE "s/^$name (10\.[^ ]+) \[(.*)\]$/\1 \2/p" | tail -n 1)"
    [ -n "$folder" ] || fail "The gateway's image needs $name 10, which 'dotnet --list-runtimes' does not have."
    home=${folder%/shared/*}
    install -d "$1/usr/share/dotnet/shared/$name"
    cp -a "$folder/$version" "$1/usr/share/dotnet/shared/$name/"
  done
  version=$(find "$home"/host/fxr/ -mindepth 1 -maxdepth 1 -name '10.*' | sort -V | tail -n 1)
  cp -a "$version" "$1/usr/share/dotnet/host/fxr/"
}

# --- what they are made with

list() { compgen -A function image_ | sed 's/^image_//'; }
listed() { list | paste -sd ' ' -; }

deb() { echo "$WORK"/debs/"$1"_*.deb; } # the file of a package

get() { # packages...: downloads them and the base
  # shellcheck disable=SC2086 # a list of words
  debian_download "$WORK" $BASE "$@" >&2
}

new_root() { # packages...: prints the folder of a bare system with the base's and the packages' files
  local root=$WORK/root package
  rm -rf "$root"
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{etc/ssl/certs,home,proc,sys,dev,root} "$root"/var/{tmp,run}
  install -d -m 1777 "$root/tmp" "$root/var/tmp"
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root"
  for package in $BASE "$@"; do
    dpkg-deb --fsys-tarfile "$(deb "$package")" |
      tar -x -C "$root" --keep-directory-symlink --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
        --exclude='./usr/share/lintian/*' --exclude='./usr/share/bash-completion/*' --exclude='./usr/lib/*/gconv/*' \
        --exclude='./usr/lib/systemd/*' --exclude='./etc/init.d/*' --exclude='./etc/logrotate.d/*'
  done
  cat "$root"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root/usr/share/ca-certificates"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' > "$root/etc/passwd"
  printf 'root:x:0:\nnobody:x:65534:\nnogroup:x:65534:\n' > "$root/etc/group"
  printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
  chroot "$root" /usr/bin/busybox --install -s /usr/bin
  echo "$root"
}

pack() { # root, component, reference up to the version, package that gives the version, instructions...
  local version
  version=$(dpkg-deb -f "$(deb "$4")" Version)
  # The registry is named so that Podman, too, sees upstream's name. The tag is always the version that is inside: an
  # image of another version must never stand in for the pinned one unseen.
  import "$1" "$2" "docker.io/$3$(upstream_version "$version")" "${TRY:---version}" "LABEL hazumu.package=$4=$version" "${@:5}"
}

import() { # root, component, image, arguments that only try whether the program starts, instructions...
  local root=$1 component=$2 image=$3 instruction changes=()
  for instruction in 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "LABEL hazumu.source=debian hazumu.component=$component" "${@:5}"; do
    changes+=(--change "$instruction")
  done
  tar -C "$root" --numeric-owner -c . | "$ENGINE" import "${changes[@]}" - "$image" > /dev/null
  rm -rf "$root"
  # A program that does not even start here must not be found by the next run.
  # shellcheck disable=SC2086 # a list of words
  if ! "$ENGINE" run --rm --network none "$image" $4 >&2; then
    "$ENGINE" rmi "$image" > /dev/null
    fail "The image $image that was built of $component does not start."
  fi
  echo "$component $image"
}

upstream_version() { # 2:3.5.3+ds1-6 → 3.5.3, 1.0~rc1-1 → 1.0-rc.1
  echo "$1" | sed -e 's/^[0-9]*://' -e 's/-[^-]*$//' -e 's/+.*//' -e 's/~rc/-rc./' -e 's/~.*//'
}

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

# The reason why Debian's packages are not available; empty if they are.
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

# --- the command

[ $# -gt 0 ] || misuse "Which images? These can be built: $(listed)."
if [ "$*" = --list ]; then
  list
  exit
fi
[ "$1" = --compose ] || for component in "$@"; do
  list | grep -qxF -- "$component" || misuse "'$component' cannot be built here; these can: $(listed)."
done

mkdir -p "$STATE"
problem=$(debian_problem)
[ -z "$problem" ] || fail "No images from Debian's packages: $problem."
WORK=$(mktemp -d "$STATE/images.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
# An interrupt of this process alone would be ignored as long as its child ends well.
trap 'exit 130' INT
if [ "$1" = --compose ]; then
  debian_download "$WORK" docker-compose
  dpkg-deb --extract "$(deb docker-compose)" "$WORK/tree"
  mkdir -p "$2"
  mv "$WORK/tree/usr/libexec/docker/cli-plugins/docker-compose" "$2/"
  exit
fi

choose_engine
engine_answers || fail "The container engine does not answer '$ENGINE ps' ($(last_line "$STATE/engine.log")); start it and try again."
for component in "$@"; do
  "image_$component"
done
