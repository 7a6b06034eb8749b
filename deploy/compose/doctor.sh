#!/bin/sh
# Checks the running application: containers, secrets, targets, alerts, receivers, certificates, disk, backup and images. It changes nothing.
#
#   sh doctor.sh
#
# Exits 0 if there is no problem, 1 if there is one; notes do not count. For a daily check by cron, which mails what it prints:
#   0 7 * * *  cd /srv/hazumu && sh doctor.sh > /tmp/hazumu-doctor 2>&1 || cat /tmp/hazumu-doctor
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source=deploy/compose/volumes.sh
. ./volumes.sh
[ $# -eq 0 ] || { echo "Usage: sh doctor.sh" >&2; exit 2; }
read_application

CERTIFICATE_DAYS=21 # the alert CertificateExpiring has the same limit
BACKUP_DAYS=7
DISK_PERCENT=90

problems=0
check() { name=$1 found=; }
problem() { found=yes problems=$((problems + 1)); printf '%-13s %-8s %s\n' "$name" problem "$1"; }
note() { found=yes; printf '%-13s %-8s %s\n' "$name" note "$1"; }
ok() { [ -n "$found" ] || printf '%-13s %-8s %s\n' "$name" ok "$1"; } # if nothing was found
label() { printf '%s\n' "$2" | sed -n "s/.*[{ ]$1=\"\([^\"]*\)\".*/\1/p"; } # name, sample
value() { printf '%s\n' "$1" | sed 's/.* => \([^ ]*\) @.*/\1/'; } # sample
count() { printf '%s\n' "$1" | awk 'NF { lines++ } END { print lines + 0 }'; } # lines
query() { docker compose exec -T prometheus promtool query instant http://localhost:9090 "$1" < /dev/null 2> /dev/null; } # expression

check containers
services=$(docker compose config --services)
containers=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False)
states=
# shellcheck disable=SC2086 # a list of words
[ -z "$containers" ] || states=$(docker inspect --format '{{ index .Config.Labels "com.docker.compose.service" }} {{ .HostConfig.RestartPolicy.Name }} {{ .State.Status }} {{ .State.ExitCode }} {{ if .State.Health }}{{ .State.Health.Status }}{{ else }}none{{ end }} {{ .Config.Image }} {{ .Image }}' $containers)
for service in $services; do
  # Tasks that prepare a volume; 'docker container prune' removes what has ended.
  case $service in *-volume) continue ;; esac
  printf '%s\n' "$states" | grep -q "^$service " || problem "$service has no container; run 'docker compose up --detach --wait'."
done
while read -r service restart state code health _; do
  case $restart,$state,$health in
    *,running,healthy | *,running,none | ,,) ;;
    no,exited,* | ,exited,*) [ "$code" = 0 ] || problem "$service failed with exit code $code; 'docker compose logs $service' shows the reason." ;;
    no,created,* | no,running,*) ;;
    *) problem "$service is $state${health:+ ($health)}; 'docker compose logs $service' shows the reason." ;;
  esac
done << EOT
$states
EOT
ok "$(count "$states") containers$([ ! -s VERSION ] || echo " of $(head -n 1 VERSION)")"

check secrets
files=$({
  printf '%s\n' "$configuration" | awk -F '"' '/^  "secrets": \{/ { inside = 1; next } inside && /^  \}/ { exit } inside && /^      "file": / && $4 != "/dev/null" { print $4 }'
  find "$PWD/secrets" -type f 2> /dev/null
} | sort -u)
while IFS= read -r file; do
  if [ -z "$file" ]; then continue; fi
  if [ ! -f "$file" ]; then
    problem "$file is missing; 'sh secrets.sh' creates what it can and names the rest."
  elif case $(ls -lL "$file") in -??????r*) false ;; esac; then
    problem "$file cannot be read by the containers; 'sh secrets.sh' sets its mode."
  fi
done << EOT
$files
EOT
case $(ls -ld secrets 2> /dev/null) in drwx------*) ;; *) problem "Other users of this server can enter the folder secrets; 'sh secrets.sh' sets its mode." ;; esac
ok "$(count "$files") files"

if query vector\(1\) > /dev/null; then
  check targets
  while IFS= read -r sample; do
    [ -z "$sample" ] || problem "Prometheus cannot scrape $(label instance "$sample") (job $(label job "$sample")); see docs/runbooks/ScrapeFailing.md."
  done << EOT
$(query 'up == 0')
EOT
  ok "$(value "$(query 'count(up == 1)')") targets"

  check alerts
  while IFS= read -r sample; do
    [ -n "$sample" ] || continue
    alert=$(label alertname "$sample")
    sentence="$alert fires$(printf '%s' "$(label instance "$sample")" | sed 's/^./ for &/'); see docs/runbooks/$alert.md."
    if [ "$(label severity "$sample")" = critical ]; then problem "$sentence"; else note "$sentence"; fi
  done << EOT
$(query 'max by (alertname, instance, severity) (ALERTS{alertstate="firing", severity=~"critical|warning"})')
EOT
  ok "none fires"

  check receivers
  receivers=$(query 'count by (receiver_name, integration) (alertmanager_notifications_total)')
  if ! printf '%s\n' "$services" | grep -qx alertmanager; then
    note "This application has no Alertmanager: alerts are seen in Prometheus and Grafana only."
  elif ! printf '%s\n' "$receivers" | grep -q 'receiver_name="people"'; then
    problem "No receiver is set up: alerts reach no one. Set Hazumu__Alertmanager__SlackUrlFile, WebhookUrlFile or EmailTo in .env."
  else
    printf '%s\n' "$receivers" | grep -q 'receiver_name="heartbeat"' ||
      note "No dead man's switch is set up: if this server goes down, no one is notified. Set Hazumu__Alertmanager__HeartbeatUrlFile in .env."
    while IFS= read -r sample; do
      [ -z "$sample" ] || problem "Alertmanager failed to deliver to $(label receiver_name "$sample") by $(label integration "$sample") within a day; 'docker compose logs alertmanager' shows the reason."
    done << EOT
$(query 'sum by (receiver_name, integration) (increase(alertmanager_notifications_failed_total[1d])) > 0')
EOT
  fi
  ok "$(count "$receivers") integrations"

  check certificates
  certificates=$(query '(probe_ssl_earliest_cert_expiry - time()) / 86400')
  while IFS= read -r sample; do
    [ -n "$sample" ] || continue
    days=$(value "$sample" | cut -d . -f 1)
    [ "$days" -ge "$CERTIFICATE_DAYS" ] || problem "The certificate of $(label instance "$sample") is valid for $days more days; see docs/runbooks/CertificateExpiring.md."
  done << EOT
$certificates
EOT
  ok "$(count "$certificates") checked${certificates:+, the earliest ends in $(printf '%s\n' "$certificates" | sed 's/.* => \([0-9-]*\).*/\1/' | sort -n | head -n 1) days}"
else
  check monitoring
  problem "Prometheus does not answer: targets, alerts, receivers and certificates are not checked. 'docker compose logs prometheus' shows the reason."
fi

if printf '%s\n' "$services" | grep -qx edge; then
  check edge
  edge() { docker compose exec -T edge "$@" < /dev/null 2> /dev/null; }
  variable() { edge sh -c "echo \"\$$1\""; } # its value in the edge's container
  # Certificates of the edge's own authority are valid for hours: Caddy renews them by itself, and only expired ones are a problem.
  days=$CERTIFICATE_DAYS
  tls=$(variable EDGE_TLS)
  if [ "$tls" = files ]; then
    certificates=/run/secrets/edge_certificate
  else
    certificates=$(for host in $(variable EDGE_HOST) $(variable EDGE_GRAFANA_HOST); do edge find /data/caddy/certificates -name "$host.crt"; done)
    [ "$tls" = acme ] || days=0
  fi
  if [ -z "$certificates" ]; then
    problem "The edge has no certificate; 'docker compose logs edge' shows the reason."
  elif ! command -v openssl > /dev/null 2>&1; then
    note "The edge's certificate is not checked: this server has no openssl."
  else
    for file in $certificates; do
      end=$(edge cat "$file" | openssl x509 -noout -enddate 2> /dev/null) || problem "$file in the edge's container is no certificate."
      edge cat "$file" | openssl x509 -noout -checkend $((days * 86400)) > /dev/null 2>&1 || [ -z "$end" ] ||
        problem "The certificate $file of the edge ends at ${end#notAfter=}; see docs/runbooks/CertificateExpiring.md."
    done
  fi
  ok "certificate until ${end:+${end#notAfter=}}"
fi

check disk
root=$(docker info --format '{{ .DockerRootDir }}' 2> /dev/null)
used=$(df -P -k "${root:-/}" 2> /dev/null | awk 'NR == 2 { sub("%", "", $5); print $5 }')
if [ -z "$used" ]; then
  note "The engine's folder ${root:-} is not on this machine, so its disk is not checked."
elif [ "$used" -ge "$DISK_PERCENT" ]; then
  problem "The disk of $root is $used % full; see docs/runbooks/DiskNearlyFull.md."
fi
ok "${used:-} % of the disk of $root is used"

check backup
if [ ! -s .last-backup ]; then
  note "No backup has been made here; 'sh backup.sh FOLDER' makes one."
else
  read -r seconds folder < .last-backup
  days=$((($(date +%s) - seconds) / 86400))
  [ "$days" -le "$BACKUP_DAYS" ] || problem "The last backup ($folder) is $days days old; 'sh backup.sh FOLDER' makes one."
fi
ok "${days:-} days old: ${folder:-}"

check images
unpinned=0
while read -r service _ _ _ _ image id; do
  [ -n "$service" ] || continue
  current=$(docker image inspect --format '{{ .Id }}' "$image" 2> /dev/null)
  if [ -n "$current" ] && [ "$current" != "$id" ]; then
    problem "$service does not run the present $image; 'docker compose up --detach --wait' replaces it."
  fi
  case $image in *@sha256:* | localhost/*) ;; *) unpinned=$((unpinned + 1)) ;; esac
done << EOT
$states
EOT
[ "$unpinned" -eq 0 ] || note "$unpinned containers run an image without a digest, which the registry may change; './hazumu digests' pins it in the next bundle."
ok "$(count "$states") as configured"

[ "$problems" -eq 0 ]
