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

has_file() { # name, setting
  [ -r "$SECRETS/$1" ] || fail "user $(id -u), who it runs as, may not read the file of $2; let others read it, in a folder that they may not enter."
  [ -s "$SECRETS/$1" ] || fail "Hazumu:Edge:Tls is 'files', but $2 names no file, or an empty one."
}

: "${EDGE_HOST:=localhost}" "${EDGE_GRAFANA_HOST:=}" "${EDGE_PORT:=443}" "${EDGE_TLS:=internal}" "${EDGE_ACME_EMAIL:=}" "${EDGE_MAX_BODY:=100MB}"
: "${EDGE_ALLOW_GATEWAY:=0.0.0.0/0,::/0}" "${EDGE_ALLOW_GRAFANA:=0.0.0.0/0,::/0}"
# Where there is none of the two, the edge answers 502 in its place.
: "${EDGE_GATEWAY:=127.0.0.1:9}" "${EDGE_GRAFANA:=127.0.0.1:9}"

plain "$EDGE_HOST" Hazumu:Edge:Name
plain "$EDGE_GRAFANA_HOST" Hazumu:Edge:GrafanaName
plain "$EDGE_PORT" Hazumu:Edge:Port
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

# Caddy wants words, settings have commas.
EDGE_ALLOW_GATEWAY=$(echo "$EDGE_ALLOW_GATEWAY" | tr -d ' ')
EDGE_ALLOW_GRAFANA=$(echo "$EDGE_ALLOW_GRAFANA" | tr -d ' ')
plain "$EDGE_ALLOW_GATEWAY" Hazumu:Edge:AllowGateway
plain "$EDGE_ALLOW_GRAFANA" Hazumu:Edge:AllowGrafana
EDGE_ALLOW_GATEWAY=$(echo "$EDGE_ALLOW_GATEWAY" | tr ',' ' ')
EDGE_ALLOW_GRAFANA=$(echo "$EDGE_ALLOW_GRAFANA" | tr ',' ' ')

case $EDGE_TLS in
  internal) ;;
  acme)
    [ -n "$EDGE_ACME_EMAIL" ] || fail "Hazumu:Edge:Tls is 'acme', but Hazumu:Edge:AcmeEmail, the address that the authority writes to, is not set."
    [ "$EDGE_HOST" != localhost ] || fail "Hazumu:Edge:Tls is 'acme', but Hazumu:Edge:Name is 'localhost'; no authority vouches for that: set it to the name that this server has in DNS."
    ;;
  files)
    has_file edge_certificate Hazumu:Edge:CertificateFile
    has_file edge_key Hazumu:Edge:KeyFile
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

export EDGE_HOST EDGE_GRAFANA_HOST EDGE_TLS EDGE_ACME_EMAIL EDGE_MAX_BYTES EDGE_ALLOW_GATEWAY EDGE_ALLOW_GRAFANA EDGE_GATEWAY_NAME EDGE_GATEWAY_PORT EDGE_GRAFANA EDGE_SITES EDGE_PORT_SUFFIX

if [ "${1:-}" = --check ]; then exec caddy validate --config "$SOURCE/Caddyfile" --adapter caddyfile; fi
exec caddy run --config "$SOURCE/Caddyfile" --adapter caddyfile
