# For start.sh, apply.sh, and for check-secrets.sh of the chart, which source it. It judges length and shape only: the AppHost asks an
# estimator as well (ProductionSettings), and secrets.sh makes secrets that need no judging.

why_weak() { # secret, its least length: prints why it is not accepted, nothing if it is
  if [ "${#1}" -lt "$2" ]; then
    echo "has fewer than $2 characters"
    return 0
  fi
  case $1 in
    [[:space:]]* | *[[:space:]])
      # Grafana drops it, so that what is typed and what is kept differ.
      echo "begins or ends with a space"
      return 0
      ;;
  esac
  # "administrator", "password12345", "hazumu-password": well-known words, with little to them. The last is the key that Grafana has by default.
  rest=$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')
  for word in administrator admin password passw0rd changeme change-me grafana hazumu letmein secret qwerty 123456 prom operator ollama welcome \
    abc123 sw2ycwtib9zpoohopsmm; do
    rest=$(printf '%s' "$rest" | sed "s/$word//g")
  done
  # Of a long secret the digits count too: a key may be nothing else.
  [ "${#1}" -ge 24 ] || rest=$(printf '%s' "$rest" | tr -d '0-9 ._-')
  if [ "${#rest}" -le 4 ]; then
    echo "is a well-known one"
  elif [ "$(printf '%s' "$1" | fold -w 1 | sort -u | wc -l)" -lt 5 ]; then
    echo "has fewer than 5 different characters"
  fi
}
