#!/usr/bin/env bash
# Builds images of the real programs from Debian's packages, for machines that reach no container registry: with the
# names, paths, users, entrypoints and default commands of the upstream images, and the version that Debian has as tag.
#
#   eng/images-from-debian.sh COMPONENT...   prints a line "COMPONENT IMAGE" for each image built
#   eng/images-from-debian.sh --list         prints the components that Debian packages
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
  pack "$root" prometheus prom/prometheus prometheus \
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
  pack "$root" blackbox prom/blackbox-exporter prometheus-blackbox-exporter \
    'EXPOSE 9115' \
    'ENTRYPOINT ["/bin/blackbox_exporter"]' \
    'CMD ["--config.file=/etc/blackbox_exporter/config.yml"]'
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

pack() { # root, component, repository, package that gives the version, instructions...
  local root=$1 component=$2 version image instruction changes=()
  version=$(dpkg-deb -f "$(deb "$4")" Version)
  # The registry is named so that Podman, too, sees upstream's name. The tag is always the version that is inside: an
  # image of another version must never stand in for the pinned one unseen.
  image=docker.io/$3:v$(upstream_version "$version")
  for instruction in 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "LABEL hazumu.source=debian hazumu.component=$component hazumu.package=$4=$version" "${@:5}"; do
    changes+=(--change "$instruction")
  done
  tar -C "$root" --numeric-owner -c . | "$ENGINE" import "${changes[@]}" - "$image" > /dev/null
  rm -rf "$root"
  # A program that does not even start here must not be found by the next run.
  if ! "$ENGINE" run --rm --network none "$image" --version >&2; then
    "$ENGINE" rmi "$image" > /dev/null
    fail "The $component built from Debian's $4 $version does not start."
  fi
  echo "$component $image"
}

upstream_version() { # 2:3.5.3+ds1-6 → 3.5.3, 1.0~rc1-1 → 1.0-rc.1
  echo "$1" | sed -e 's/^[0-9]*://' -e 's/-[^-]*$//' -e 's/+.*//' -e 's/~rc/-rc./' -e 's/~.*//'
}

# --- the command

[ $# -gt 0 ] || misuse "Which images? These can be built: $(listed)."
if [ "$*" = --list ]; then
  list
  exit
fi
for component in "$@"; do
  list | grep -qxF -- "$component" || misuse "'$component' cannot be built from Debian's packages; these can: $(listed)."
done

mkdir -p "$STATE"
problem=$(debian_problem)
[ -z "$problem" ] || fail "No images from Debian's packages: $problem."
choose_engine
engine_answers || fail "$(explain_engine)"

WORK=$(mktemp -d "$STATE/images.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
for component in "$@"; do
  "image_$component"
done
