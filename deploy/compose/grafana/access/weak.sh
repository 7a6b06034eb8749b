# For start.sh, and for check-secrets.sh of the chart, which source it. As the AppHost's ProductionSettings.

why_weak() { # secret, its least length: prints why it is not accepted, nothing where it is
  if [ "${#1}" -lt "$2" ]; then
    echo "has fewer than $2 characters"
    return 0
  fi
  # "administrator", "password1234", "hazumu-password": well-known words, with little to them. The last is the key that Grafana has by default.
  rest=$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')
  for word in administrator admin password passw0rd changeme change-me grafana hazumu letmein secret qwerty 123456 sw2ycwtib9zpoohopsmm; do
    rest=$(printf '%s' "$rest" | sed "s/$word//g")
  done
  [ "${#rest}" -gt 4 ] || echo "is a well-known one"
}
