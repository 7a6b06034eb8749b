#!/bin/sh
# Starts Caddy as the edge. Every form of the graph runs this in the container, by the image's own shell.
#
#   start.sh --check   only says whether the configuration is valid
#   start.sh           starts Caddy
#
# What is set comes from variables, the certificate from files below SECRETS.
set -eu

SOURCE=${EDGE_SOURCE:-/etc/caddy}
SECRETS=/run/secrets

fail() {
  echo "The edge is not started: $1" >&2
  exit 1
}

# Caddy reads the values as words of its configuration.
plain() { # value, setting
  case $1 in
    *[!A-Za-z0-9.,:/@_+-]*) fail "$2 is '$1', which has a character that cannot be used there." ;;
  esac
}

host_name() { # value, setting
  echo "$1" | awk '{ exit !(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/ && !/\.\./ && (!/^[0-9.]+$/ || /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/)) }' ||
    fail "$2 is '$1'; allowed: one host name or IPv4 address, such as 'llm.example', without scheme, port and path."
}

port() { # value, setting
  case $1 in *[!0-9]* | '' | 0* | ??????*) ;; *) if [ "$1" -le 65535 ]; then return 0; fi ;; esac
  fail "$2 is '$1'; allowed: a port from 1 to 65535."
}

# Prints the ranges with spaces between them, as Caddy wants them.
ranges() { # value, setting
  echo "$1" | tr -d ' ' | awk -F , '
    function is_v4(text,    part, n, i) {
      n = split(text, part, ".")
      if (n != 4) return 0
      for (i = 1; i <= n; i++) if (part[i] !~ /^[0-9][0-9]?[0-9]?$/ || part[i] > 255) return 0
      return 1
    }
    function is_v6(text,    part, n, i, empty) {
      if (text !~ /^[0-9A-Fa-f:]+$/ || text ~ /:::/ || text ~ /^:[^:]/ || text ~ /[^:]:$/) return 0
      empty = 0
      n = split(text, part, ":")
      for (i = 1; i <= n; i++) {
        if (length(part[i]) > 4) return 0
        if (part[i] == "") empty++
      }
      # A "::" stands for at least one group, and there is one at most.
      i = index(text, "::")
      if (i > 0) return index(substr(text, i + 1), "::") == 0 && n - empty < 8
      return n == 8
    }
    function is_range(text,    part, n, most) {
      n = split(text, part, "/")
      most = is_v4(part[1]) ? 32 : is_v6(part[1]) ? 128 : -1
      return most >= 0 && (n == 1 || n == 2 && part[2] ~ /^[0-9][0-9]?[0-9]?$/ && part[2] + 0 <= most)
    }
    {
      for (i = 1; i <= NF; i++) if (!is_range($i)) exit failed = 1
      gsub(/,/, " ")
      print
    }
    END { exit failed }' || fail "$2 is '$1'; allowed: addresses and ranges such as '10.0.0.0/8,192.0.2.7', separated by commas."
}

has_file() { # name, setting, path outside
  [ ! -d "$SECRETS/$1" ] || fail "$2 is '$3', which is a folder; name a file."
  [ -r "$SECRETS/$1" ] || fail "user $(id -u), who it runs as, may not read the file of $2; let others read it, in a folder that they may not enter ('sh secrets.sh' does so)."
  [ -s "$SECRETS/$1" ] || fail "Hazumu:Edge:Tls is 'files', but $2 names no file, or an empty one."
}

: "${EDGE_HOST:=localhost}" "${EDGE_GRAFANA_HOST:=}" "${EDGE_PORT:=443}" "${EDGE_TLS:=internal}" "${EDGE_ACME_EMAIL:=}" "${EDGE_MAX_BODY:=100MB}"
: "${EDGE_ALLOW_GATEWAY:=0.0.0.0/0,::/0}" "${EDGE_ALLOW_GRAFANA:=0.0.0.0/0,::/0}"
# If one of the two is not part of the application, the edge says so in its place.
: "${EDGE_GATEWAY:=127.0.0.1:9}" "${EDGE_GRAFANA:=127.0.0.1:9}"

host_name "$EDGE_HOST" Hazumu:Edge:Name
[ -z "$EDGE_GRAFANA_HOST" ] || host_name "$EDGE_GRAFANA_HOST" Hazumu:Edge:GrafanaName
port "$EDGE_PORT" Hazumu:Edge:Port
plain "$EDGE_ACME_EMAIL" Hazumu:Edge:AcmeEmail

number=${EDGE_MAX_BODY%[KMG]B}
case $number in
  '' | *[!0-9]* | 0*) fail "Hazumu:Edge:MaxBody is '$EDGE_MAX_BODY'; allowed: a size such as '512KB', '100MB' or '4GB'." ;;
esac
case $EDGE_MAX_BODY in
  *KB) EDGE_MAX_BYTES=${number}000 ;;
  *MB) EDGE_MAX_BYTES=${number}000000 ;;
  *GB) EDGE_MAX_BYTES=${number}000000000 ;;
  *) fail "Hazumu:Edge:MaxBody is '$EDGE_MAX_BODY'; allowed: a size such as '512KB', '100MB' or '4GB'." ;;
esac

EDGE_ALLOW_GATEWAY=$(ranges "$EDGE_ALLOW_GATEWAY" Hazumu:Edge:AllowGateway)
EDGE_ALLOW_GRAFANA=$(ranges "$EDGE_ALLOW_GRAFANA" Hazumu:Edge:AllowGrafana)

case $EDGE_TLS in
  internal) ;;
  acme)
    [ -n "$EDGE_ACME_EMAIL" ] || fail "Hazumu:Edge:Tls is 'acme', but Hazumu:Edge:AcmeEmail, the address that the authority writes to, is not set."
    [ "$EDGE_HOST" != localhost ] || fail "Hazumu:Edge:Tls is 'acme', but Hazumu:Edge:Name is 'localhost'; no authority vouches for that: set it to the name that this server has in DNS."
    ;;
  files)
    has_file edge_certificate Hazumu:Edge:CertificateFile "${EDGE_CERTIFICATE_FILE:-}"
    has_file edge_key Hazumu:Edge:KeyFile "${EDGE_KEY_FILE:-}"
    ;;
  *) fail "Hazumu:Edge:Tls is '$EDGE_TLS'; allowed: internal, acme, files." ;;
esac

# Caddy looks the name up again and again: there may be several gateways.
EDGE_GATEWAY_NAME=${EDGE_GATEWAY%:*}
EDGE_GATEWAY_PORT=${EDGE_GATEWAY##*:}

EDGE_SITES=path
if [ -n "$EDGE_GRAFANA_HOST" ]; then
  [ "$EDGE_GRAFANA_HOST" != "$EDGE_HOST" ] || fail "Hazumu:Edge:GrafanaName is the name that Hazumu:Edge:Name has; leave it out, and Grafana is under /grafana/."
  EDGE_SITES=hosts
fi

EDGE_PORT_SUFFIX=
if [ "$EDGE_PORT" != 443 ]; then EDGE_PORT_SUFFIX=:$EDGE_PORT; fi
EDGE_NAMES=https://$EDGE_HOST$EDGE_PORT_SUFFIX
[ -z "$EDGE_GRAFANA_HOST" ] || EDGE_NAMES="$EDGE_NAMES and https://$EDGE_GRAFANA_HOST$EDGE_PORT_SUFFIX"

export EDGE_HOST EDGE_GRAFANA_HOST EDGE_TLS EDGE_ACME_EMAIL EDGE_MAX_BYTES EDGE_ALLOW_GATEWAY EDGE_ALLOW_GRAFANA EDGE_GATEWAY_NAME EDGE_GATEWAY_PORT EDGE_GRAFANA EDGE_SITES EDGE_PORT_SUFFIX EDGE_NAMES

if [ "${1:-}" = --check ]; then exec caddy validate --config "$SOURCE/Caddyfile" --adapter caddyfile; fi
exec caddy run --config "$SOURCE/Caddyfile" --adapter caddyfile
