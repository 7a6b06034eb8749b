# shellcheck shell=bash
# What ./hazumu test says at its end, from the TRX files of 'dotnet test'.
# Sourced by ./hazumu, never run. Runs on macOS' bash 3.2 too.

# Prints what was skipped and why, then the counts as the last line; false where a test failed or none ran.
report_tests() { # exit code of dotnet test
  local passed failed skipped
  read -r passed failed skipped <<< "$(results | count_tests)"
  results | list_skipped

  if [ "$1" -ne 0 ] && [ "$failed" -eq 0 ]; then
    warn "dotnet test failed (exit code $1) though no test did; that counts as one failure."
    failed=1
  elif [ $((passed + failed)) -eq 0 ]; then
    warn "No test ran."
  fi
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$1" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

results() { find "$STATE/test-results" -name '*.trx' -exec cat {} + 2> /dev/null || true; }

# "passed failed skipped". A run that failed without a failed test is one whose host crashed: one failure.
count_tests() {
  awk '
    function count(name) {
      return match($0, " " name "=\"[0-9]+\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0 : 0
    }
    # Explicit tests that were not chosen are NotExecuted without a reason: their element is empty.
    /<UnitTestResult .*outcome="NotExecuted"/ && !/\/>$/ { skipped++ }
    /<ResultSummary / { crashed = /outcome="Failed"/ }
    /<Counters / {
      bad = count("failed") + count("error") + count("timeout") + count("aborted")
      passed += count("passed")
      failed += bad > 0 ? bad : crashed
    }
    END { print passed + 0, failed + 0, skipped + 0 }'
}

# Skipped tests below their reason; of a reason, its first line.
list_skipped() {
  awk '
    function text(s) {
      gsub(/&lt;/, "<", s); gsub(/&gt;/, ">", s); gsub(/&quot;/, "\"", s); gsub(/&amp;/, "\\&", s)
      return s
    }
    function finish() {
      if (test != "") {
        if (!(reason in tests)) order[++n] = reason
        tests[reason] = tests[reason] "\n      " test
        number[reason]++
      }
      test = ""
    }
    /<UnitTestResult / {
      finish()
      if (/outcome="NotExecuted"/ && !/\/>$/ && match($0, /testName="[^"]*"/)) {
        test = text(substr($0, RSTART + 10, RLENGTH - 11))
        reason = "no reason given"
      }
    }
    test != "" && /<Message>/ { reason = $0; sub(/.*<Message>/, "", reason); sub(/<\/Message>.*/, "", reason); reason = text(reason) }
    END {
      finish()
      for (i = 1; i <= n; i++) printf "%s  %d skipped: %s%s\n", i == 1 ? "\n" : "", number[order[i]], order[i], tests[order[i]]
      if (n) print ""
    }'
}
