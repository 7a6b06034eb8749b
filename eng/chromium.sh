# shellcheck shell=bash
# Chromium, for the tests of what a page in a browser may do. Sourced by ./hazumu, never run.

CHROMIUM_PROBLEM=

prepare_chromium() {
  if [ -x /usr/bin/chromium ]; then return 0; fi
  CHROMIUM_PROBLEM="There is no /usr/bin/chromium."
  # Ubuntu's package of that name only installs a snap.
  if ! is_debian_root || ! grep -q '^ID=debian' /etc/os-release; then return 1; fi
  say "Chromium is not installed: installing the package chromium (log: .hazumu/apt.log)."
  apt_update || true
  apt_install chromium || {
    CHROMIUM_PROBLEM="$CHROMIUM_PROBLEM The package chromium could not be installed ($(last_line "$STATE/apt.log")); .hazumu/apt.log tells more."
    return 1
  }
}
