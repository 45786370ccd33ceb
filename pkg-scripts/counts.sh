# Runs test commands, shows their output and adds up what they report. Sourced by test.sh.
# shellcheck shell=bash

LOG="$OUT/log"
TABLE=()
ALL_PASSED=0
ALL_FAILED=0

# run_suite NAME: calls suite_NAME, which counts into passed, failed and skipped through the functions below.
run_suite() {
  local name="$1" started=$SECONDS passed=0 failed=0 skipped=0
  mkdir -p "$LOG"
  printf '\n=== %s\n' "$name"
  "suite_$name"
  if [ $((passed + failed)) -eq 0 ]; then
    say "$name: no test ran"
    failed=1
  fi
  if [ "$skipped" -gt 0 ]; then
    say "$name: $skipped skipped, which counts as failed"
    failed=$((failed + skipped))
  fi
  ALL_PASSED=$((ALL_PASSED + passed))
  ALL_FAILED=$((ALL_FAILED + failed))
  TABLE+=("$(printf '%-12s %6d passed %4d failed %5d s' "$name" "$passed" "$failed" $((SECONDS - started)))")
}

print_counts() {
  printf '\n'
  printf '%s\n' "${TABLE[@]}"
  printf '%d passed, %d failed\n' "$ALL_PASSED" "$ALL_FAILED"
  [ "$ALL_FAILED" -eq 0 ]
}

# The functions below change run_suite's counters: bash gives a function its caller's local variables.

one_check() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# cargo test and wasm-bindgen's runner both end each target with "test result: ok. N passed; N failed; N ignored; ...".
cargo_tests() {
  local log="$LOG/$name.txt" status=0
  "$@" 2>&1 | tee "$log" || status=$?
  count_from "$log" 's/^test result:.* \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored.*/\1 \2 \3/p'
  no_silent_failure "$status"
}

# A command whose last line is "N passed, N failed".
counted_check() {
  local log="$LOG/$name.txt" status=0
  "$@" 2>&1 | tee "$log" || status=$?
  count_from "$log" 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2 0/p'
  no_silent_failure "$status"
}

node_tests() {
  local log="$LOG/$name.tap" status=0
  node --test --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$log" "$@" || status=$?
  count_from <(tap_totals "$log") 's/^\([0-9]* [0-9]* [0-9]*\)$/\1/p'
  no_silent_failure "$status"
}

# passed, failed (cancelled included) and skipped (todo included), as the TAP file's last lines have them
tap_totals() {
  awk '/^# (pass|fail|cancelled|skipped|todo) [0-9]+$/ { n[$2] = $3 }
    END { print n["pass"] + 0, n["fail"] + n["cancelled"], n["skipped"] + n["todo"] }' "$1"
}

# count_from FILE SED: adds up the lines "passed failed skipped" that the sed expression makes of the file.
count_from() {
  local p f s
  while read -r p f s; do
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  done < <(sed 's/\x1b\[[0-9;]*m//g' "$1" | sed -n "$2")
}

# A command may fail without a failed test: it does not compile, the browser does not start, a process dies.
no_silent_failure() {
  if [ "$1" -ne 0 ] && [ "$failed" -eq 0 ]; then
    say "$name: the command ended with status $1"
    failed=1
  fi
}
